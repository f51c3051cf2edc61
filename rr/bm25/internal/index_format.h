#pragma once

#include <array>
#include <filesystem>
#include <string>

#include "rr/base/json.h"
#include "rr/base/result.h"
#include "rr/bm25/index_statistics.h"

namespace rr::internal {

// The files of an index (docs/formats/index.md).
inline constexpr const char* kHeaderFile = "header.json";
inline constexpr const char* kTermsFile = "terms.bin";
inline constexpr const char* kPostingsFile = "postings.bin";
inline constexpr const char* kDocumentsFile = "documents.bin";
inline constexpr const char* kTextsFile = "texts.bin";
inline constexpr const char* kFramesFile = "frames.bin";

inline constexpr const char* kFormatName = "reasonrank bm25 index";
inline constexpr int kFormatVersion = 1;
inline constexpr const char* kAnalyzerName = "lucene-english-porter";

struct Header {
  IndexStatistics statistics;
  std::uint64_t num_frames = 0;
  Json files;  // {"terms.bin": {"bytes": ..., "crc32": ...}, ...}
};

// The header's one line, its own checksum at the end.
std::string format_header(const Header& header);

// Refuses another format, another version and a header that was changed.
Result<Header> parse_header(std::string_view line, const std::string& where);

}  // namespace rr::internal
