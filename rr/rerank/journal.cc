#include "rr/rerank/journal.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "rr/base/check.h"

namespace rr {
namespace {

constexpr int kVersion = 1;
constexpr const char* kVersionKey = "reasonrank_partial";

Error failed(const std::filesystem::path& path, const char* what, int error) {
  const Errc code = error == ENOSPC || error == EDQUOT ? Errc::kUnavailable : Errc::kRejected;
  return {code, fmt::format("{}: {}", what, std::strerror(error)), path.string()};
}

// Whole lines of an open file, read in blocks: a journal may be larger than memory.
class DescriptorLines {
 public:
  DescriptorLines(int descriptor, std::string name)
      : descriptor_(descriptor), name_(std::move(name)) {}

  // The next line without its end; nullopt at the end and for a line that is cut off.
  Result<std::optional<std::string>> next() {
    while (true) {
      const std::size_t newline = buffer_.find('\n', searched_);
      if (newline != buffer_.npos) {
        std::string line = buffer_.substr(0, newline);
        buffer_.erase(0, newline + 1);
        searched_ = 0;
        begin_ = end_;
        end_ += line.size() + 1;
        return std::optional(std::move(line));
      }
      searched_ = buffer_.size();
      RR_TRY(const bool more, fill());
      if (!more) return std::optional<std::string>();
    }
  }

  std::size_t begin() const { return begin_; }  // of the line that next() gave last
  std::size_t end() const { return end_; }

 private:
  Result<bool> fill() {
    std::vector<char> block(std::size_t{1} << 20);
    const ssize_t count =
        ::pread(descriptor_, block.data(), block.size(), static_cast<off_t>(read_));
    if (count < 0) return failed(name_, "cannot be read", errno);
    read_ += static_cast<std::size_t>(count);
    buffer_.append(block.data(), static_cast<std::size_t>(count));
    return count > 0;
  }

  int descriptor_;
  std::string name_;
  std::string buffer_;
  std::size_t searched_ = 0;  // bytes of the buffer without a line end
  std::size_t read_ = 0;      // bytes of the file in the buffer so far
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

// "window (20, now 10)": the first setting in which two runs differ.
std::string difference(const Json& then, const Json& now) {
  for (const auto& [key, value] : now.items()) {
    const auto it = then.find(key);
    const std::string old = it == then.end() ? "not set" : it->dump();
    if (it == then.end() || *it != value)
      return fmt::format("{} ({}, now {})", key, old, value.dump());
  }
  for (const auto& [key, value] : then.items()) {
    if (!now.contains(key)) return fmt::format("{} ({}, now not set)", key, value.dump());
  }
  return "nothing";
}

}  // namespace

RunJournal::RunJournal(RunJournal&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      is_ours_(std::exchange(other.is_ours_, false)),
      end_(other.end_),
      lines_(std::move(other.lines_)) {}

RunJournal& RunJournal::operator=(RunJournal&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(is_ours_, other.is_ours_);
  std::swap(end_, other.end_);
  std::swap(lines_, other.lines_);
  return *this;
}

RunJournal::~RunJournal() {
  if (is_ours_ && lines_.empty()) remove();
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<RunJournal> RunJournal::open(const std::filesystem::path& path, const Json& settings,
                                    bool restart) {
  RunJournal journal;
  journal.path_ = path;
  journal.descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (journal.descriptor_ < 0) return failed(path, "cannot be written", errno);
  if (::flock(journal.descriptor_, LOCK_EX | LOCK_NB) != 0) {
    return Error{Errc::kUnavailable,
                 "another reasonrank is writing this run; wait for it or choose another output",
                 path.string()};
  }
  RR_TRY_STATUS(journal.load(settings, restart));
  journal.is_ours_ = true;
  return journal;
}

Status RunJournal::load(const Json& settings, bool restart) {
  if (restart) return start_anew(settings);
  DescriptorLines lines(descriptor_, path_.string());
  RR_TRY(const auto first, lines.next());
  if (!first) return start_anew(settings);
  const auto header = parse_json(*first, fmt::format("{}:1", path_.string()));
  if (!header.ok() || !header->is_object() || !header->contains(kVersionKey)) {
    return Error{Errc::kMalformed,
                 "expected the partial results of an earlier run, found another file; move it away "
                 "or choose another output",
                 path_.string()};
  }
  const Json then = header->value("settings", Json::object());
  if (header.value()[kVersionKey] != kVersion || then != settings) {
    RR_TRY(const auto topic, lines.next());
    if (!topic) return start_anew(settings);  // nothing would be lost
    return Error{
        Errc::kRejected,
        fmt::format("holds the partial results of a run with other settings or inputs: {}; "
                    "repeat that command to go on with it, or add --restart to drop them",
                    difference(then, settings)),
        path_.string()};
  }
  while (true) {
    RR_TRY(const auto line, lines.next());
    if (!line) break;
    RR_TRY(const Json topic, parse_json(*line, path_.string()));
    RR_TRY(std::string qid, json_id(topic, "qid", path_.string()));
    lines_.insert_or_assign(Qid(std::move(qid)), Line{lines.begin(), line->size()});
  }
  end_ = lines.end();
  if (::ftruncate(descriptor_, static_cast<off_t>(end_)) != 0) {
    return failed(path_, "cannot be written", errno);
  }
  return ok_status();
}

Status RunJournal::start_anew(const Json& settings) {
  end_ = 0;
  if (::ftruncate(descriptor_, 0) != 0) return failed(path_, "cannot be written", errno);
  return write_line(to_json_line({{kVersionKey, kVersion}, {"settings", settings}}));
}

Status RunJournal::write_line(std::string_view line) {
  std::string bytes(line);
  while (!bytes.empty() && bytes.back() == '\n') bytes.pop_back();
  bytes += '\n';
  std::size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t count = ::pwrite(descriptor_, bytes.data() + written, bytes.size() - written,
                                   static_cast<off_t>(end_ + written));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed(path_, "cannot be written", errno);
    written += static_cast<std::size_t>(count);
  }
  end_ += bytes.size();
  return ok_status();
}

Status RunJournal::append(const Qid& qid, std::string_view line) {
  RR_CHECK(!has(qid), "a topic is written once");
  const std::size_t begin = end_;
  RR_TRY_STATUS(write_line(line));
  lines_.emplace(qid, Line{begin, end_ - begin - 1});
  return ok_status();
}

Result<std::string> RunJournal::read(const Qid& qid) const {
  const Line& line = lines_.at(qid);
  std::string text(line.length, '\0');
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t count = ::pread(descriptor_, text.data() + done, text.size() - done,
                                  static_cast<off_t>(line.begin + done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return failed(path_, "cannot be read", count < 0 ? errno : EIO);
    done += static_cast<std::size_t>(count);
  }
  return text;
}

void RunJournal::remove() {
  ::unlink(path_.c_str());
  is_ours_ = false;
}

}  // namespace rr
