#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "rr/base/result.h"
#include "rr/bm25/index_statistics.h"
#include "rr/ir/passage.h"

namespace rr {

namespace internal {
class IndexFiles;
}

// An index made by build_index(), mapped into memory and not changed. May be read by many threads.
// Documents have numbers, from 0 in the order of the corpus.
class Index {
 public:
  // Reads every file but the texts once to compare its checksum: about a second a gigabyte. Refuses
  // an index of another version, one cut short and one with a changed byte, and names the file. The
  // texts have checksums of their own, looked at when they are read.
  static Result<Index> open(const std::filesystem::path& folder);

  Index(Index&&) noexcept;
  Index& operator=(Index&&) noexcept;
  ~Index();

  const IndexStatistics& statistics() const;

  // A digest that two indexes share only where all their files are the same.
  const std::string& identity() const;

  // Requires doc < statistics().num_documents. The docid lives as long as the index.
  std::string_view docid(std::uint32_t doc) const;

  // The document with this docid, if there is one.
  std::optional<std::uint32_t> find(std::string_view docid) const;

  // The passage as the corpus gave it. Requires doc < statistics().num_documents.
  Result<Passage> passage(std::uint32_t doc) const;

  // For the room itself.
  const internal::IndexFiles& files() const { return *files_; }

 private:
  explicit Index(std::unique_ptr<internal::IndexFiles> files);

  std::unique_ptr<internal::IndexFiles> files_;
};

}  // namespace rr
