#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rr/base/result.h"
#include "rr/lm/generator.h"

namespace rr {

// What answers of one model have taken, in tokens.
struct ModelSpending {
  std::string model;
  std::size_t answers = 0;
  std::size_t prompt_tokens = 0;
  std::size_t completion_tokens = 0;
  std::size_t estimated = 0;  // answers whose tokens the model's server did not say
};

// What one answer took.
struct AnswerUsage {
  std::size_t prompt_tokens = 0;
  std::size_t completion_tokens = 0;
  bool is_estimated = false;
};

// Answers of language models by the hash of what was asked: one SQLite file that survives a crash
// of the program, and that several processes may use at once (write-ahead log; they wait for each
// other up to half a minute). docs/formats/answers.md. Safe to use from many threads.
class AnswerCache {
 public:
  // Opens the file, or makes it. A damaged one (SQLite's quick check) is moved aside as
  // PATH.damaged-1, -2, ...; the answers in it that can still be read and whose checksum holds are
  // taken over into a new file, and note() says so. Refused: a SQLite file that is something else,
  // or of a later version, and a file that cannot be written.
  static Result<AnswerCache> open(const std::filesystem::path& path);

  // Opens a file that must be there, to look at what was spent. Never makes or mends anything: a
  // damaged file is refused.
  static Result<AnswerCache> open_existing(const std::filesystem::path& path);

  AnswerCache(AnswerCache&&) noexcept;
  AnswerCache& operator=(AnswerCache&&) noexcept;
  ~AnswerCache();

  const std::filesystem::path& path() const;

  // One sentence on what was damaged and where it is now; empty: nothing was.
  const std::string& note() const;

  // The answer stored under the key. One whose checksum does not hold counts as not there.
  Result<std::optional<Completion>> find(std::string_view key);

  // Keeps an answer; when this returns, a killed program does not lose it. Where the key has one
  // already (another process was faster), that one stays, and this one counts as spent all the
  // same: it was paid for. `label` and `model` are for people.
  Status store(std::string_view key, const std::string& model, const std::string& label,
               const Completion& completion, const AnswerUsage& usage);

  // What all answers that ever came in have taken, by model, in the order of names.
  Result<std::vector<ModelSpending>> spending();

 private:
  struct Database;
  explicit AnswerCache(std::unique_ptr<Database> database);

  std::unique_ptr<Database> database_;
};

}  // namespace rr
