#include "rr/train/ranked_run.h"

#include <fmt/core.h>

#include <utility>

#include "rr/base/sha256.h"

namespace rr {

Status check_same_weights(Ranks& ranks, std::span<const Parameter> parameters) {
  if (ranks.size() == 1) return ok_status();
  std::string hashes;
  for (const Parameter& parameter : parameters) {
    hashes += sha256_hex(std::as_bytes(parameter.values));
  }
  if (have_same(ranks, sha256_hex(std::as_bytes(std::span(hashes))))) return ok_status();
  return Error{Errc::kRejected,
               "expected the same weights on all ranks, found others; go on from the last "
               "checkpoint with --resume, on machines of one kind",
               ""};
}

Result<CheckpointState> restore_on_all(Ranks& ranks, const RunFolder& folder,
                                       std::span<const Parameter> parameters, AdamW& optimiser,
                                       std::vector<std::string>& damaged) {
  const Result<CheckpointState> own = folder.restore(parameters, optimiser, damaged);
  RR_TRY_STATUS(agree(ranks, own));
  if (!have_same(ranks, std::to_string(own.value().step))) {
    return Error{Errc::kUnavailable,
                 "expected all ranks to find one newest checkpoint, found several; the folder has "
                 "to be the same on all machines",
                 folder.path().string()};
  }
  RR_TRY_STATUS(check_same_weights(ranks, parameters));
  return own.value();
}

Status save_from_first(Ranks& ranks, const RunFolder& folder, std::span<const Parameter> parameters,
                       AdamW& optimiser, const CheckpointState& state, std::size_t keep_last) {
  RR_TRY_STATUS(check_same_weights(ranks, parameters));
  return write_on_first(ranks,
                        [&] { return folder.save(parameters, optimiser, state, keep_last); });
}

}  // namespace rr
