#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "rr/base/json.h"
#include "rr/base/result.h"
#include "rr/bm25/index_statistics.h"

namespace rr::internal {

// The files of an index: the header, and those of each segment (docs/formats/index.md).
inline constexpr const char* kHeaderFile = "header.json";
inline constexpr const char* kTermsFile = "terms.bin";
inline constexpr const char* kPostingsFile = "postings.bin";
inline constexpr const char* kDocumentsFile = "documents.bin";
inline constexpr const char* kTextsFile = "texts.bin";
inline constexpr const char* kFramesFile = "frames.bin";

inline constexpr std::array<const char*, 5> kSegmentFiles = {
    kTermsFile, kPostingsFile, kDocumentsFile, kTextsFile, kFramesFile};

inline constexpr const char* kFormatName = "reasonrank bm25 index";
inline constexpr int kFormatVersion = 3;
inline constexpr const char* kAnalyzerName = "lucene-english-porter";

// A part of the index's documents in a folder of its own.
struct SegmentHeader {
  std::string name;            // of its folder, segment_name() of some number
  IndexStatistics statistics;  // of it alone
  std::uint64_t num_frames = 0;
  Json files;  // {"terms.bin": {"bytes": ..., "crc32": ...}, ...}
};

struct Header {
  IndexStatistics statistics;           // of all segments; a term of several counts once
  std::vector<SegmentHeader> segments;  // in the order of their documents; at least one
  std::string sha256;                   // of all this, as read
};

std::string segment_name(std::size_t number);

// Of all segments' files.
std::uint64_t total_bytes(const Header& header);

// The header's one line, its own checksum at the end.
std::string format_header(const Header& header);

// Refuses another format, another version, a header that was changed, and one whose segments do not
// add up.
Result<Header> parse_header(std::string_view line, const std::string& where);

}  // namespace rr::internal
