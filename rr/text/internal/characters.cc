#include "rr/text/internal/characters.h"

#include "rr/base/check.h"

namespace rr::internal {
namespace {

// Members one after the other; "a-z" stands for all from a to z.
struct CharacterClass {
  Traits traits;
  std::u32string_view members;
};

// The first fourteen are MOJIBAKE_CATEGORIES of ftfy 6.3.1's badness.py, the five after them
// UTF8_CLUES of its chardata.py. A line or two of characters says more than their names.
constexpr CharacterClass kClasses[] = {
    {kCommon, U"\xA0\xAD´·–—―’…"},
    {kC1, U"\x80-\x9F"},
    {kBad, U"¤¦¨ª¬¯¸ºƒˆˇ˘˛˜†‡‰⌐◊\uFFFD"},
    {kLaw, U"§¶"},
    {kCurrency, U"¢£¥₧€"},
    {kStart, U"¡©«¿΄΅‘‚“„•‹\uF8FF"},
    {kEnd, U"®»˝”›™"},
    {kNumeric, U"±²³µ¹¼½¾×÷⁄№∂∆∏∑√∞∩∫≈≠≡≤≥"},
    {kKaomoji, U"°Ò-ÖÙ-Üò-öø-üŌŐŪŲ"},
    {kUpperAccented, U"À-ÑØÜÝĀĂĄĆČĎĐĒĖĘĚĞĢĪİĶĹĻĽŁŃŅŇŒŘŚŞŠŢŤŮŰŸŹŻŽҐ"},
    {kLowerAccented, U"ß-ñüāăąćčďđēėęěğģīįķĺļľłœŕśşšťźżžґﬁﬂ"},
    {kUpperCommon, U"ÞΆΈΉΊΌΎΏΑ-ΫЁ-Я"},
    {kLowerCommon, U"ά-ωа-џ"},
    {kBox, U"│┌┐┘├┤┬┼═-╬▀▄█▌▐-▓"},
    {kFirstOf2, U"Â-ßĀĂĆČĎĐĒĖĘĚĞĢĪİĶĹĻŁŃŅŇŌŐŘŚŞŠŢŪŮŰŲŹŻŽΒ-ΡΣ-ίВ-Я"},
    {kFirstOf3, U"à-ïāăąćčďēėęěģīįķĺļŕźΰ-οа-п"},
    {kFirstOf4, U"ðóđğšπσру"},
    {kContinuation,
     U" \x80-¿ÆØæøĄąĽľŁłŒœŖŗŚśŞ-šŤťŸ-žƒˆˇ˘˛˜˝΄΅ΆΈΉΊΌΎΏЁ-ЌЎЏё-ќўџҐґ–—―‘’‚“”„†‡"
     U"•…‰‹›€№™"},
    {kStrictContinuation, U"\x80-¿ÆØæøĄąĽľŁłŒœŖŗŚśŞ-šŤťŸ-žƒˆˇ˘˛˜˝΄΅ΆΈΉΊΌΎΏЁ-ЌЎЏё-ќўџҐґ†‡‰‹›€№™"},
    {kUpperAscii, U"A-Z"},
    {kLowerAscii, U"a-z"},
    {kSpace, U"\t-\r\x1C-\x20\x85\xA0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000"},
    {kLigature, U"ĲĳŉǄ-ǌǱ-ǳﬀ-ﬆ"},
    {kWide, U"\u3000\uFF01-\uFFEF"},
    {kCurlyQuote, U"\u02BC\u2018-\u201F"},
    {kLineBreak, U"\r\x85\u2028\u2029"},
};

struct CharacterRange {
  char32_t first;
  char32_t last;
};

// Not suitable for text that is shown: control characters other than white space, deprecated Arabic
// ones, the byte-order mark, interlinear annotation and the object replacement character (after
// Unicode Technical Report 20).
constexpr CharacterRange kControls[] = {
    {0x00, 0x08},     {0x0B, 0x0B},     {0x0E, 0x1F},     {0x7F, 0x7F},
    {0x206A, 0x206F}, {0xFEFF, 0xFEFF}, {0xFFF9, 0xFFFC},
};

// All characters of Unicode 15.0 whose combining class is not 0 or whose NFC_Quick_Check is not
// Yes. Ranges with small gaps between them are joined: one too many costs time and changes nothing.
constexpr CharacterRange kNotInert[] = {
    {0x0300, 0x0387},   {0x0483, 0x0487},   {0x0591, 0x05C7},   {0x0610, 0x061A},
    {0x064B, 0x0670},   {0x06D6, 0x06ED},   {0x0711, 0x074A},   {0x07EB, 0x082D},
    {0x0859, 0x085B},   {0x0898, 0x089F},   {0x08CA, 0x08FF},   {0x093C, 0x095F},
    {0x09BC, 0x09FE},   {0x0A33, 0x0A5E},   {0x0ABC, 0x0ACD},   {0x0B3C, 0x0B5D},
    {0x0BBE, 0x0BD7},   {0x0C3C, 0x0C56},   {0x0CBC, 0x0CD6},   {0x0D3B, 0x0D57},
    {0x0DCA, 0x0DDF},   {0x0E38, 0x0E4B},   {0x0EB8, 0x0ECB},   {0x0F18, 0x0FC6},
    {0x102E, 0x103A},   {0x108D, 0x108D},   {0x1161, 0x1175},   {0x11A8, 0x11C2},
    {0x135D, 0x135F},   {0x1714, 0x1734},   {0x17D2, 0x17DD},   {0x18A9, 0x18A9},
    {0x1939, 0x193B},   {0x1A17, 0x1A18},   {0x1A60, 0x1A7F},   {0x1AB0, 0x1ACE},
    {0x1B34, 0x1B44},   {0x1B6B, 0x1B73},   {0x1BAA, 0x1BAB},   {0x1BE6, 0x1BF3},
    {0x1C37, 0x1C37},   {0x1CD0, 0x1CF9},   {0x1DC0, 0x1DFF},   {0x1F71, 0x1F7D},
    {0x1FBB, 0x2001},   {0x20D0, 0x20F0},   {0x2126, 0x212B},   {0x2329, 0x232A},
    {0x2ADC, 0x2ADC},   {0x2CEF, 0x2CF1},   {0x2D7F, 0x2D7F},   {0x2DE0, 0x2DFF},
    {0x302A, 0x302F},   {0x3099, 0x309A},   {0xA66F, 0xA67D},   {0xA69E, 0xA69F},
    {0xA6F0, 0xA6F1},   {0xA806, 0xA806},   {0xA82C, 0xA82C},   {0xA8C4, 0xA8F1},
    {0xA92B, 0xA92D},   {0xA953, 0xA953},   {0xA9B3, 0xA9C0},   {0xAAB0, 0xAAC1},
    {0xAAF6, 0xAAF6},   {0xABED, 0xABED},   {0xF900, 0xFAD9},   {0xFB1D, 0xFB4E},
    {0xFE20, 0xFE2F},   {0x101FD, 0x101FD}, {0x102E0, 0x102E0}, {0x10376, 0x1037A},
    {0x10A0D, 0x10A0F}, {0x10A38, 0x10A3F}, {0x10AE5, 0x10AE6}, {0x10D24, 0x10D27},
    {0x10EAB, 0x10EAC}, {0x10EFD, 0x10EFF}, {0x10F46, 0x10F50}, {0x10F82, 0x10F85},
    {0x11046, 0x11046}, {0x11070, 0x1107F}, {0x110B9, 0x110BA}, {0x11100, 0x11102},
    {0x11127, 0x11134}, {0x11173, 0x11173}, {0x111C0, 0x111CA}, {0x11235, 0x11236},
    {0x112E9, 0x112EA}, {0x1133B, 0x11374}, {0x11442, 0x1145E}, {0x114B0, 0x114C3},
    {0x115AF, 0x115C0}, {0x1163F, 0x1163F}, {0x116B6, 0x116B7}, {0x1172B, 0x1172B},
    {0x11839, 0x1183A}, {0x11930, 0x11943}, {0x119E0, 0x119E0}, {0x11A34, 0x11A47},
    {0x11A99, 0x11A99}, {0x11C3F, 0x11C3F}, {0x11D42, 0x11D45}, {0x11D97, 0x11D97},
    {0x11F41, 0x11F42}, {0x16AF0, 0x16AF4}, {0x16B30, 0x16B36}, {0x16FF0, 0x16FF1},
    {0x1BC9E, 0x1BC9E}, {0x1D15E, 0x1D1C0}, {0x1D242, 0x1D244}, {0x1E000, 0x1E02A},
    {0x1E08F, 0x1E08F}, {0x1E130, 0x1E136}, {0x1E2AE, 0x1E2AE}, {0x1E2EC, 0x1E2EF},
    {0x1E4EC, 0x1E4EF}, {0x1E8D0, 0x1E8D6}, {0x1E944, 0x1E94A}, {0x2F800, 0x2FA1D},
};

}  // namespace

Characters::Characters() : blocks_(1) {
  for (const CharacterClass& members : kClasses) {
    const std::u32string_view list = members.members;
    for (std::size_t i = 0; i < list.size(); ++i) {
      const bool is_range = i + 2 < list.size() && list[i + 1] == U'-';
      add(list[i], list[is_range ? i + 2 : i], members.traits);
      if (is_range) i += 2;
    }
  }
  for (const CharacterRange& range : kControls) add(range.first, range.last, kControl);
  for (const CharacterRange& range : kNotInert) add(range.first, range.last, kNormalise);
}

void Characters::add(char32_t first, char32_t last, Traits traits) {
  for (char32_t c = first; c <= last; ++c) {
    std::uint8_t& block = block_of_[c / kBlockSize];
    if (block == 0) {
      RR_CHECK(blocks_.size() < 256, "block numbers are bytes");
      block = static_cast<std::uint8_t>(blocks_.size());
      blocks_.emplace_back();
    }
    blocks_[block][c % kBlockSize] |= traits;
  }
}

const Characters& characters() {
  static const Characters table;
  return table;
}

}  // namespace rr::internal
