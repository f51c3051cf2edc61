#pragma once

#include <string>
#include <string_view>

namespace rr {

// Whether HTML entities ("&amp;", "&#38;") become the characters that they name.
enum class EntityRepair {
  kAuto,   // until the first segment that holds '<': a text with tags means its entities
  kNever,  // entities stay
};

struct FixTextOptions {
  EntityRepair unescape_html = EntityRepair::kAuto;
};

// Repairs messy text exactly as ftfy 6.3.1's fix_text does with its default options:
// R. Speer, "ftfy", Zenodo, 2019, https://doi.org/10.5281/zenodo.2591652.
//
// The text is taken segment by segment. A segment is a line with its "\n", or 1,000,000 code
// points of a longer line. On each, until nothing changes any more:
//   1. HTML entities that end in ';' become characters
//   2. text that was decoded with a wrong encoding ("schÃ¶n") is decoded again, where a heuristic
//      for improbable neighbours is sure of it
//   3. C1 control characters become what Windows-1252 has in their place
//   4. Latin ligatures become letters
//   5. full-width Latin and half-width kana and hangul become their usual width
//   6. curly quotation marks become ' and "
//   7. "\r\n", "\r", U+2028, U+2029 and U+0085 become "\n"
//   8. terminal escapes (colours) go
//   9. control characters go that show nothing, byte-order marks among them
//  10. normalisation form C
//
// Entities: the first *input* segment that holds '<' turns step 1 off for itself and for all
// segments after it. A '<' that only an entity brought in does not count.
//
// Any bytes will do: what is no UTF-8 is first replaced by U+FFFD as repair_utf8() (base/utf8.h)
// does, so the result is always valid UTF-8. ftfy's repair of surrogates has no counterpart:
// surrogates cannot stand in UTF-8, and bytes that spell one (ED A0 80 ...) are replaced.
//
// One pass over a segment takes time linear in its length. Passes go on until nothing changes, but
// 1,000 at most: only text that was made for it, such as entities nested 1,000 deep, needs more,
// and is left as it then is (ftfy would go on).
std::string fix_text(std::string_view text, const FixTextOptions& options = {});

}  // namespace rr
