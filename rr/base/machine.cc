#include "rr/base/machine.h"

#include <fmt/core.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace rr {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();

std::optional<std::string> first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  return line;
}

std::optional<std::size_t> parse_number(std::string_view text) {
  std::size_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end == text.data()) return std::nullopt;
  return value;
}

std::optional<std::size_t> read_number(const fs::path& path) {
  const std::optional<std::string> line = first_line(path);
  return line ? parse_number(*line) : std::nullopt;
}

// The number behind `key` in a file of lines "key number".
std::optional<std::size_t> read_field(const fs::path& path, std::string_view key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string name;
    std::size_t value = 0;
    if (fields >> name >> value && name == key) return value;
  }
  return std::nullopt;
}

// Whether "cpu,cpuacct" names "cpu".
bool names_controller(const std::string& names, const std::string& controller) {
  std::istringstream list(names);
  for (std::string name; std::getline(list, name, ',');) {
    if (name == controller) return true;
  }
  return false;
}

// The control groups around this process, innermost first: for version 2 and for version 1's memory
// and cpu controllers, where they are mounted. /proc/self/cgroup has lines "4:memory:/a/b" and
// "0::/a/b". In a container the path may be the host's while the mount shows the group as its root,
// so every parent is looked at, up to the mount.
std::vector<fs::path> control_groups(const std::string& controller) {
  const fs::path root = "/sys/fs/cgroup";
  std::vector<fs::path> groups;
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string names = line.substr(first + 1, second - first - 1);
    const bool is_unified = names.empty();
    if (!is_unified && !names_controller(names, controller)) continue;
    const fs::path mount = is_unified ? root : root / names;
    fs::path group = fs::path(line.substr(second + 1)).relative_path();
    for (; !group.empty(); group = group.parent_path()) groups.push_back(mount / group);
    groups.push_back(mount);
    if (!is_unified) groups.push_back(root / controller);
  }
  return groups;
}

// What one group leaves, by either version's files.
std::size_t left_in_group(const fs::path& group) {
  std::optional<std::size_t> limit = read_number(group / "memory.max");
  std::optional<std::size_t> used = read_number(group / "memory.current");
  std::string_view droppable = "inactive_file";
  if (!limit) {
    limit = read_number(group / "memory.limit_in_bytes");
    used = read_number(group / "memory.usage_in_bytes");
    droppable = "total_inactive_file";
  }
  if (!limit || !used) return kNoLimit;
  const std::size_t dropped = read_field(group / "memory.stat", droppable).value_or(0);
  const std::size_t taken = *used - std::min(*used, dropped);
  return *limit - std::min(*limit, taken);
}

std::size_t left_of_address_space() {
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kNoLimit;
  const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t used = read_number("/proc/self/statm").value_or(0) * page;
  return limit.rlim_cur - std::min<std::size_t>(limit.rlim_cur, used);
}

// Whole processors that a group's quota is worth; version 2 has "quota period" in one file.
double quota_of_group(const fs::path& group) {
  std::optional<std::size_t> quota;
  std::optional<std::size_t> period;
  if (const auto line = first_line(group / "cpu.max")) {
    quota = parse_number(*line);  // "max": none
    const std::size_t blank = line->find(' ');
    if (blank != std::string::npos) period = parse_number(line->substr(blank + 1));
  } else {
    quota = read_number(group / "cpu.cfs_quota_us");  // "-1": none
    period = read_number(group / "cpu.cfs_period_us");
  }
  if (!quota || !period || *period == 0) return std::numeric_limits<double>::infinity();
  return static_cast<double>(*quota) / static_cast<double>(*period);
}

}  // namespace

std::size_t free_memory() {
  std::size_t available = kNoLimit;
  if (const auto kilobytes = read_field("/proc/meminfo", "MemAvailable:")) {
    available = *kilobytes * 1024;
  }
  for (const fs::path& group : control_groups("memory")) {
    available = std::min(available, left_in_group(group));
  }
  return std::min(available, left_of_address_space());
}

std::vector<std::size_t> allowed_cores() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  std::vector<std::size_t> cores;
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) return cores;
  for (std::size_t core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &mask)) cores.push_back(core);
  }
  return cores;
}

std::string machine_name() {
  char name[256] = {};
  if (gethostname(name, sizeof name - 1) != 0) return "";
  return name;
}

std::size_t usable_cores() {
  const std::size_t allowed = allowed_cores().size();
  auto cores = static_cast<double>(allowed > 0 ? allowed : std::thread::hardware_concurrency());
  for (const fs::path& group : control_groups("cpu")) {
    cores = std::min(cores, quota_of_group(group));
  }
  return std::max<std::size_t>(1, static_cast<std::size_t>(std::ceil(cores)));
}

std::string bytes_for_people(std::size_t bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double size = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (size >= 1024 && unit + 1 < kUnits.size()) {
    size /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", size, kUnits[unit]);
}

}  // namespace rr
