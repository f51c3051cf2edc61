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

std::array<Number, 5> numbers_of(IndexStatistics& statistics) {
  return {{{"documents", &statistics.num_documents},
           {"nonempty_documents", &statistics.num_nonempty},
           {"terms", &statistics.num_terms},
           {"total_terms", &statistics.total_terms},
           {"postings", &statistics.num_postings}}};
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

void put_statistics(IndexStatistics statistics, Json& value) {
  for (const Number& number : numbers_of(statistics)) value[number.name] = *number.value;
}

Status read_count(const Json& value, const char* name, std::uint64_t& count,
                  const std::string& where) {
  if (!is_count(value, name)) return damaged(fmt::format("the header lacks \"{}\"", name), where);
  count = value[name].get<std::uint64_t>();
  return ok_status();
}

Result<IndexStatistics> read_statistics(const Json& value, const std::string& where) {
  IndexStatistics statistics;
  for (const Number& number : numbers_of(statistics)) {
    RR_TRY_STATUS(read_count(value, number.name, *number.value, where));
  }
  if (statistics.num_documents > std::numeric_limits<std::uint32_t>::max() - 1 ||
      statistics.num_terms > std::numeric_limits<std::uint32_t>::max()) {
    return damaged("the header's counts are too large", where);
  }
  return statistics;
}

Result<SegmentHeader> read_segment(const Json& value, std::size_t most, const std::string& where) {
  SegmentHeader segment;
  RR_TRY(segment.statistics, read_statistics(value, where));
  RR_TRY_STATUS(read_count(value, "frames", segment.num_frames, where));
  segment.name =
      value.contains("name") && value["name"].is_string() ? value["name"].get<std::string>() : "";
  segment.files = value.value("files", Json::object());
  for (const char* file : kSegmentFiles) {
    if (!segment.files.is_object() || !segment.files.contains(file) ||
        !is_count(segment.files[file], "bytes") || !is_count(segment.files[file], "crc32")) {
      return damaged(fmt::format("the header lacks the size of {}", file), where);
    }
  }
  for (std::size_t number = 0; number < most; ++number) {
    if (segment.name == segment_name(number)) return segment;
  }
  return damaged("the header names a segment that cannot be", where);
}

Status read_segments(const Json& value, Header& header, const std::string& where) {
  const Json segments = value.value("segments", Json::array());
  IndexStatistics sum;
  for (const Json& one : segments) {
    if (!one.is_object()) break;
    RR_TRY(SegmentHeader segment, read_segment(one, segments.size(), where));
    sum.num_documents += segment.statistics.num_documents;
    sum.num_nonempty += segment.statistics.num_nonempty;
    sum.total_terms += segment.statistics.total_terms;
    sum.num_postings += segment.statistics.num_postings;
    header.segments.push_back(std::move(segment));
  }
  const IndexStatistics& total = header.statistics;
  if (header.segments.empty() || header.segments.size() != segments.size() ||
      sum.num_documents != total.num_documents || sum.num_nonempty != total.num_nonempty ||
      sum.total_terms != total.total_terms || sum.num_postings != total.num_postings) {
    return damaged("the header's segments do not add up", where);
  }
  return ok_status();
}

}  // namespace

std::string segment_name(std::size_t number) { return fmt::format("segment.{}", number); }

std::uint64_t total_bytes(const Header& header) {
  std::uint64_t bytes = 0;
  for (const SegmentHeader& segment : header.segments) {
    for (const Json& file : segment.files) bytes += file["bytes"].get<std::uint64_t>();
  }
  return bytes;
}

std::string format_header(const Header& header) {
  Json value = {{"format", kFormatName}, {"version", kFormatVersion}, {"analyzer", kAnalyzerName}};
  put_statistics(header.statistics, value);
  value["segments"] = Json::array();
  for (const SegmentHeader& segment : header.segments) {
    Json one = {{"name", segment.name}};
    put_statistics(segment.statistics, one);
    one["frames"] = segment.num_frames;
    one["files"] = segment.files;
    value["segments"].push_back(std::move(one));
  }
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
  header.sha256 = seal.get<std::string>();
  RR_TRY(header.statistics, read_statistics(value, where));
  RR_TRY_STATUS(read_segments(value, header, where));
  return header;
}

}  // namespace rr::internal
