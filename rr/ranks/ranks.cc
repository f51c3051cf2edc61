#include "rr/ranks/ranks.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "rr/ranks/record.h"

namespace rr {
namespace {

struct Answer {
  std::string record;
  std::optional<Error> error;
};

std::string pack(Result<std::string> mine) {
  RecordWriter writer;
  writer.put(mine.ok());
  if (mine.ok()) {
    writer.put_all(mine.value());
  } else {
    writer.put(mine.error().code);
    writer.put_all(mine.error().message);
    writer.put_all(mine.error().where);
  }
  return std::move(writer).take();
}

Answer unpack(const std::string& record) {
  RecordReader reader(record);
  Answer answer;
  if (reader.get<bool>()) {
    answer.record = reader.get_all<std::string>();
    return answer;
  }
  const auto code = reader.get<Errc>();
  std::string message = reader.get_all<std::string>();
  answer.error = Error{code, std::move(message), reader.get_all<std::string>()};
  return answer;
}

}  // namespace

Result<std::vector<std::string>> exchange(Ranks& ranks, Result<std::string> mine) {
  std::vector<std::string> records;
  std::optional<Error> failure;
  std::size_t failed_rank = 0;
  std::size_t num_failed = 0;
  for (const std::string& packed : ranks.gather(pack(std::move(mine)))) {
    Answer answer = unpack(packed);
    if (answer.error) ++num_failed;
    if (answer.error && !failure) {
      failure = std::move(answer.error);
      failed_rank = records.size();
    }
    records.push_back(std::move(answer.record));
  }
  if (!failure) return records;
  if (num_failed < ranks.size()) {
    failure->message += fmt::format(" (on rank {} of {})", failed_rank, ranks.size());
  }
  return std::move(*failure);
}

Status agree(Ranks& ranks, const Status& mine) {
  Result<std::string> record = std::string();
  if (!mine.ok()) record = mine.error();
  RR_TRY(const std::vector<std::string> ignored, exchange(ranks, std::move(record)));
  (void)ignored;
  return ok_status();
}

bool have_same(Ranks& ranks, std::string record) {
  const std::vector<std::string> records = ranks.gather(std::move(record));
  return std::all_of(records.begin(), records.end(),
                     [&](const std::string& other) { return other == records.front(); });
}

}  // namespace rr
