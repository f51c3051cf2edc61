#pragma once

#include <CLI/CLI.hpp>
#include <cstddef>
#include <string>
#include <vector>

#include "rr/bm25/searcher.h"
#include "rr/ir/topic.h"

namespace rr {

// How an index is searched: the same options wherever a command does so.
struct FirstStageOptions {
  std::size_t k = 0;  // passages a topic; 0: the command's default
  bool exclude_own = false;
  Bm25Options bm25;
};

// -k, --k1, --b, --bm25q and --exclude-own. `options` must outlive `command`; `k_help` says what -k
// is without it; `group` is the options' heading in the help.
void add_first_stage_options(CLI::App& command, FirstStageOptions& options,
                             const std::string& k_help, const std::string& group = "Options");

// All that a ranking depends on beside index and topics: "bm25 k1=0.9 b=0.4 k=100".
std::string description_of(const FirstStageOptions& options);

// A sentence for each of the first few topics that found nothing, then one that counts them all.
// None where every topic found something. reasons[i], by why_nothing_found, belongs to topics[i].
std::vector<std::string> notes_on_empty(const std::vector<Topic>& topics,
                                        const std::vector<std::string>& reasons);

}  // namespace rr
