#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "rr/base/json.h"
#include "rr/base/result.h"
#include "rr/ir/ids.h"

namespace rr {

// What a long run has done so far: a file with a first line that says what the run is, and one line
// for each topic that is done, appended and handed to the system at once. The same run started
// again goes on from there. A line that was cut off (the program was killed while it wrote) is
// dropped.
//
// One process has a journal at a time; a second one is refused.
class RunJournal {
 public:
  // Opens the journal, or makes a new one. `settings` is everything that the results depend on: a
  // journal with others is refused, and the message names the first that differs, unless `restart`
  // throws it away.
  static Result<RunJournal> open(const std::filesystem::path& path, const Json& settings,
                                 bool restart);

  RunJournal(RunJournal&& other) noexcept;
  RunJournal& operator=(RunJournal&& other) noexcept;
  ~RunJournal();

  bool has(const Qid& qid) const { return lines_.contains(qid); }
  std::size_t size() const { return lines_.size(); }

  // The line of a topic, without its end. Requires has(qid).
  Result<std::string> read(const Qid& qid) const;

  // Adds a topic's line: one JSON object with a field "qid" equal to `qid`, without line end.
  // Requires !has(qid).
  Status append(const Qid& qid, std::string_view line);

  // Takes the file away: the run's outputs are in place. Without this it stays behind, unless no
  // topic is in it.
  void remove();

 private:
  struct Line {
    std::size_t begin;
    std::size_t length;
  };

  RunJournal() = default;
  Status load(const Json& settings, bool restart);
  Status start_anew(const Json& settings);
  Status write_line(std::string_view line);

  std::filesystem::path path_;
  int descriptor_ = -1;
  bool is_ours_ = false;  // known to be a journal of this run
  std::size_t end_ = 0;   // bytes of whole lines
  std::unordered_map<Qid, Line> lines_;
};

}  // namespace rr
