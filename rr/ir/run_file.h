#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "rr/base/atomic_file.h"
#include "rr/base/result.h"
#include "rr/ir/ranking.h"

namespace rr {

// What to do with a line of a run that has more than six columns.
enum class BlankDocids {
  kKeep,  // two columns are read from the left, three from the right; what stands between is the
          // docid, blanks and all
  kDrop,  // as ReasonRank's published reader: a line without exactly six columns is left out
};

struct ReadRun {
  Run run;
  std::size_t num_lines = 0;      // read, without empty ones
  std::size_t dropped_lines = 0;  // only with kDrop
};

// Reads a TREC run, "qid Q0 docid rank score tag" a line, plain or gzip (docs/formats/run.md).
//
// A ranking keeps the order of its lines, whatever the ranks and scores say; a qid that comes back
// joins the ranking that it began. Empty lines are left out; an empty file is a run without topics.
// Refused, with the line: too few columns (said in so many words where the file looks like qrels),
// a score that is no finite number, a document twice in a topic, an id that is not UTF-8. A file of
// which kDrop would leave nothing is refused too.
Result<ReadRun> read_run(const std::filesystem::path& path,
                         BlankDocids blank_docids = BlankDocids::kKeep);

// The lines of a ranking, in its order, ranks from 1, ids as ir/id_spelling.h spells them. A score
// is the shortest text that reads back as the same number, so the order of scores as 32-bit floats
// is kept. Blanks in the tag become '_'; an empty tag becomes "reasonrank".
std::string format_ranking(const Ranking& ranking, std::string_view tag);

// Appends the run to the file; does not commit it.
Status write_run(const Run& run, AtomicFile& file);

}  // namespace rr
