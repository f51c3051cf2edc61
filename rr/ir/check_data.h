#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "rr/base/result.h"
#include "rr/ir/dataset.h"

namespace rr {

// Does a data set hold together? What is wrong is a finding, not a failure: the check goes on.
struct Finding {
  enum class Severity {
    kError,    // numbers measured on it would be wrong, or a command would refuse it
    kWarning,  // worth a look
  };
  Severity severity = Severity::kError;
  std::string where;  // a file, or "file:17"
  std::string what;   // with the number of cases and the first of them
};

struct CheckedFile {
  std::filesystem::path path;
  std::string content;  // "3633 passages, the longest of 9939 bytes"
};

struct DatasetReport {
  std::string name;
  std::vector<CheckedFile> files;
  std::vector<Finding> findings;
};

// Reads every file of the data set and holds them against each other.
//
// Errors: a file that its reader refuses; a docid twice in the corpus; judged, gold, excluded or
// retrieved documents that the corpus lacks; topics of qrels and runs that no file of topics has;
// documents in a run or among the relevant that their topic excludes.
// Warnings: passages without text; ill-formed UTF-8; text with U+FFFD, which an earlier program put
// for bytes that it could not read; a query that differs between files; topics without a relevant
// document; topics without qrels; qrels of BRIGHT's examples other than their gold_ids.
// Lacking files are no finding: only what is there is compared.
DatasetReport check_dataset(const Dataset& dataset);

}  // namespace rr
