#include "rr/bm25/index.h"

#include <utility>

#include "rr/base/check.h"
#include "rr/bm25/internal/index_files.h"

namespace rr {

Result<Index> Index::open(const std::filesystem::path& folder) {
  RR_TRY(internal::IndexFiles files, internal::IndexFiles::open(folder));
  return Index(std::make_unique<internal::IndexFiles>(std::move(files)));
}

Index::Index(std::unique_ptr<internal::IndexFiles> files) : files_(std::move(files)) {}
Index::Index(Index&&) noexcept = default;
Index& Index::operator=(Index&&) noexcept = default;
Index::~Index() = default;

const IndexStatistics& Index::statistics() const { return files_->statistics(); }

const std::string& Index::identity() const { return files_->header().sha256; }

std::string_view Index::docid(std::uint32_t doc) const {
  RR_CHECK(doc < statistics().num_documents, "documents count from 0 to num_documents - 1");
  return files_->docid(doc);
}

std::optional<std::uint32_t> Index::find(std::string_view docid) const {
  return files_->find(docid);
}

Result<Passage> Index::passage(std::uint32_t doc) const {
  RR_CHECK(doc < statistics().num_documents, "documents count from 0 to num_documents - 1");
  return files_->passage(doc);
}

}  // namespace rr
