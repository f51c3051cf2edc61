#include "rr/synth/near_duplicates.h"

#include <string_view>

namespace rr {
namespace {

constexpr std::size_t kBands = 16;
constexpr std::size_t kRows = kMinHashPlaces / kBands;

std::uint64_t band_key(const MinHash& fingerprint, std::size_t band) {
  const auto* begin = reinterpret_cast<const char*>(fingerprint.data() + band * kRows);
  const std::uint64_t content = hash_of(std::string_view(begin, kRows * sizeof(std::uint16_t)));
  return content ^ (band * 0x9e3779b97f4a7c15U);
}

}  // namespace

std::optional<NearDuplicates::Match> NearDuplicates::find(const MinHash& fingerprint) const {
  std::optional<Match> best;
  for (std::size_t band = 0; band < kBands; ++band) {
    bands_.find(band_key(fingerprint, band), [&](std::uint32_t text) {
      const double alike = similarity(fingerprint, fingerprints_[text]);
      const bool is_better =
          !best || alike > best->similarity || (alike == best->similarity && text < best->text);
      if (alike >= threshold_ && is_better) best = Match{text, alike};
      return true;
    });
  }
  return best;
}

void NearDuplicates::add(const MinHash& fingerprint) {
  const auto number = static_cast<std::uint32_t>(fingerprints_.size());
  fingerprints_.push_back(fingerprint);
  for (std::size_t band = 0; band < kBands; ++band) {
    // A text that stands there a thousand times needs no thousand entries.
    const std::uint64_t key = band_key(fingerprint, band);
    bool is_known = false;
    bands_.find(key, [&](std::uint32_t text) {
      is_known = fingerprints_[text] == fingerprint;
      return !is_known;
    });
    if (!is_known) bands_.insert(key, number);
  }
}

}  // namespace rr
