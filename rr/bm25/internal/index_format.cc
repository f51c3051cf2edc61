#include "rr/bm25/internal/index_format.h"

#include <fmt/core.h>

#include <limits>
#include <utility>

#include "rr/base/sha256.h"

namespace rr::internal {
namespace {

constexpr const char* kSealKey = "sha256";

struct Number {
  const char* name;
  std::uint64_t* value;
};

std::array<Number, 6> numbers_of(Header& header) {
  IndexStatistics& statistics = header.statistics;
  return {{{"documents", &statistics.num_documents},
           {"nonempty_documents", &statistics.num_nonempty},
           {"terms", &statistics.num_terms},
           {"total_terms", &statistics.total_terms},
           {"postings", &statistics.num_postings},
           {"frames", &header.num_frames}}};
}

Error damaged(const std::string& what, const std::string& where) {
  return Error{Errc::kMalformed, what + "; make the index anew", where};
}

bool is_count(const Json& object, const char* key) {
  return object.contains(key) && object[key].is_number_unsigned();
}

// Nothing may be believed before the seal was checked; the version only to say it.
Status check_identity(const Json& value, const std::string& where) {
  if (!value.is_object() || value.value("format", Json()) != kFormatName) {
    return Error{Errc::kMalformed, "this is no header of an index", where};
  }
  const Json version = value.value("version", Json());
  if (version == kFormatVersion) return ok_status();
  return damaged(fmt::format("expected an index of version {}, found version {}", kFormatVersion,
                             version.dump()),
                 where);
}

}  // namespace

std::string format_header(const Header& header) {
  Header copy = header;
  Json value = {{"format", kFormatName}, {"version", kFormatVersion}, {"analyzer", kAnalyzerName}};
  for (const Number& number : numbers_of(copy)) value[number.name] = *number.value;
  value["files"] = header.files;
  value[kSealKey] = sha256_hex(to_json_line(value));
  return to_json_line(value) + "\n";
}

Result<Header> parse_header(std::string_view line, const std::string& where) {
  auto parsed = parse_json(line, where);
  if (!parsed.ok()) return damaged("the header of the index is damaged", where);
  Json value = std::move(parsed).value();
  RR_TRY_STATUS(check_identity(value, where));
  const Json seal = value.value(kSealKey, Json());
  value.erase(kSealKey);
  if (seal != sha256_hex(to_json_line(value))) {
    return damaged("the header of the index is damaged (its checksum differs)", where);
  }
  if (value.value("analyzer", Json()) != kAnalyzerName) {
    return damaged("the index was made with an analyzer that this program does not have", where);
  }
  Header header;
  for (const Number& number : numbers_of(header)) {
    if (!is_count(value, number.name)) {
      return damaged(fmt::format("the header lacks \"{}\"", number.name), where);
    }
    *number.value = value[number.name].get<std::uint64_t>();
  }
  header.files = value.value("files", Json::object());
  for (const char* file : {kTermsFile, kPostingsFile, kDocumentsFile, kTextsFile, kFramesFile}) {
    if (!header.files.is_object() || !header.files.contains(file) ||
        !is_count(header.files[file], "bytes") || !is_count(header.files[file], "crc32")) {
      return damaged(fmt::format("the header lacks the size of {}", file), where);
    }
  }
  if (header.statistics.num_documents > std::numeric_limits<std::uint32_t>::max() - 1 ||
      header.statistics.num_terms > std::numeric_limits<std::uint32_t>::max()) {
    return damaged("the header's counts are too large", where);
  }
  return header;
}

}  // namespace rr::internal
