#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "rr/ir/passage.h"
#include "rr/synth/sample.h"

namespace rr {

// Where a document ends and a passage begins, in words (what blanks separate).
struct DocumentSplitOptions {
  std::size_t min_words = 20;   // a shorter paragraph, such as a heading, joins the next one
  std::size_t max_words = 200;  // a longer paragraph is cut, after a sentence where there is one
};

// A document as passages: its paragraphs, which blank lines separate ("simple heuristics with
// separators such as double new lines", arXiv 2508.07050). The passages of a document in more than
// one have the docids "{docid}#1", "{docid}#2", ...; each keeps the title. A document of blanks has
// none. Requires 1 <= min_words <= max_words.
std::vector<Passage> split_document(const Passage& document,
                                    const DocumentSplitOptions& options = {});

// What a topic's passages are chosen from.
struct CandidateInputs {
  std::vector<Passage> linked;     // documents that the answer links to
  std::vector<Passage> retrieved;  // found by a search, best first
};

struct CandidateOptions {
  DocumentSplitOptions split = {};
  std::size_t max_linked = 100;     // passages, after splitting; the first ones are kept
  std::size_t max_retrieved = 100;  // likewise
};

struct Candidates {
  std::vector<Passage> linked;
  std::vector<Passage> retrieved;
  std::size_t repeated = 0;  // passages left out because their docid or text was there before
  std::size_t cut = 0;       // passages beyond the limits
};

// The candidates of a domain: kComplexQa splits linked and retrieved documents into passages; the
// others take retrieved passages as they are, and no linked ones. No docid and no text comes twice.
Candidates gather_candidates(Domain domain, const CandidateInputs& inputs,
                             const CandidateOptions& options);

}  // namespace rr
