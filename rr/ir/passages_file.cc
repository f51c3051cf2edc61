#include "rr/ir/passages_file.h"

#include <fmt/core.h>

#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "rr/base/file.h"
#include "rr/base/utf8.h"
#include "rr/ir/internal/columns.h"
#include "rr/ir/internal/passage_record.h"
#include "rr/ir/internal/read_id.h"

namespace rr {
namespace {

namespace fs = std::filesystem;

bool is_json_name(std::string name) {
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  return name.ends_with(".jsonl") || name.ends_with(".json");
}

bool is_passage_record(std::string_view line) {
  if (!trim(line).starts_with('{')) return false;
  std::size_t repaired = 0;
  const auto record = parse_record(line, "", repaired);
  return record.ok() && passage_text_of(record.value(), "").ok();
}

Docid docid_of_line(const LineReader& reader, bool has_neighbours) {
  return Docid(has_neighbours ? reader.where() : std::to_string(reader.line_number()));
}

Result<Passage> read_record(std::string_view line, const LineReader& reader, bool has_neighbours,
                            std::size_t& repaired_in_file) {
  const std::string where = reader.where();
  std::size_t repaired = 0;
  RR_TRY(const Json record, parse_record(line, where, repaired));
  repaired_in_file += repaired;
  RR_TRY(Passage passage, passage_text_of(record, where));
  passage.docid = docid_of_line(reader, has_neighbours);
  if (first_field(record, kDocidKeys) == nullptr) return passage;
  RR_TRY(std::string docid, read_json_id(record, kDocidKeys, "docid", repaired, where));
  passage.docid = Docid(std::move(docid));
  return passage;
}

Status read_passages_of(const fs::path& path, bool has_neighbours, ReadPassages& result,
                        std::unordered_set<Docid>& known) {
  RR_TRY(LineReader reader, LineReader::open(path));
  std::optional<bool> is_json;
  if (path != "-") is_json = is_json_name(path.filename().string());
  for (std::string line;;) {
    RR_TRY(const bool more, reader.next(line));
    if (!more) return ok_status();
    if (trim(line).empty()) continue;
    if (!is_json) is_json = is_passage_record(line);
    Passage passage;
    if (*is_json) {
      RR_TRY(passage, read_record(line, reader, has_neighbours, result.repaired_utf8));
    } else {
      RepairedUtf8 text = repair_utf8(line);
      result.repaired_utf8 += text.replaced;
      passage = {docid_of_line(reader, has_neighbours), "", std::move(text.text)};
    }
    if (!known.insert(passage.docid).second) {
      return Error{
          Errc::kMalformed,
          fmt::format("expected each document once, found \"{}\" again; give it another id "
                      "or remove it",
                      passage.docid.str()),
          reader.where()};
    }
    result.passages.push_back(std::move(passage));
  }
}

}  // namespace

Result<ReadPassages> read_passages(std::span<const fs::path> paths) {
  ReadPassages result;
  std::unordered_set<Docid> known;
  for (const fs::path& path : paths) {
    RR_TRY_STATUS(read_passages_of(path, paths.size() > 1, result, known));
  }
  return result;
}

}  // namespace rr
