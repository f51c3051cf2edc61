#include "rr/nn/memory.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <fstream>
#include <string_view>

namespace rr {
namespace {

// The first whole number of a text; nullopt for "max" and other words.
std::optional<std::size_t> first_number(std::string_view text) {
  const std::size_t start = text.find_first_of("0123456789");
  if (start == std::string_view::npos) return std::nullopt;
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data() + start, text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  return value;
}

// MemAvailable of /proc/meminfo (proc(5)), in bytes.
std::optional<std::size_t> system_memory() {
  std::ifstream in("/proc/meminfo");
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("MemAvailable:")) continue;
    if (const auto kibibytes = first_number(line)) return *kibibytes * 1024;
  }
  return std::nullopt;
}

std::optional<std::size_t> number_in(const std::string& file) {
  std::ifstream in(file);
  std::string line;
  if (!std::getline(in, line)) return std::nullopt;
  return first_number(line);
}

// What the control group leaves: version 2, else version 1, as seen from inside a container.
std::optional<std::size_t> group_memory() {
  constexpr const char* kFiles[][2] = {
      {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"},
      {"/sys/fs/cgroup/memory/memory.limit_in_bytes",
       "/sys/fs/cgroup/memory/memory.usage_in_bytes"}};
  for (const auto& [limit_file, usage_file] : kFiles) {
    const auto limit = number_in(limit_file);
    const auto usage = number_in(usage_file);
    if (limit && usage) return *limit - std::min(*limit, *usage);
  }
  return std::nullopt;
}

double in_gib(std::size_t bytes) { return static_cast<double>(bytes) / (1024.0 * 1024 * 1024); }

}  // namespace

std::optional<std::size_t> available_memory() {
  const auto system = system_memory();
  const auto group = group_memory();
  if (!system || !group) return system ? system : group;
  return std::min(*system, *group);
}

Status check_memory(const MemoryPlan& plan, std::size_t kv_tokens,
                    std::optional<std::size_t> available, const std::string& where) {
  const std::size_t kv_bytes = plan.kv_bytes_per_token * kv_tokens;
  const std::size_t needed = plan.weight_bytes + plan.scratch_bytes + kv_bytes;
  if (!available || needed <= *available) return ok_status();
  return Error{
      Errc::kRejected,
      fmt::format("the model needs {:.2f} GiB of memory ({:.2f} weights, {:.2f} for {} tokens of "
                  "keys and values, {:.2f} working space), {:.2f} GiB are free; take a smaller "
                  "model or a machine with more memory",
                  in_gib(needed), in_gib(plan.weight_bytes), in_gib(kv_bytes), kv_tokens,
                  in_gib(plan.scratch_bytes), in_gib(*available)),
      where};
}

}  // namespace rr
