#include "rr/text/internal/code_pages.h"

#include <algorithm>
#include <cstddef>

#include "rr/base/check.h"

namespace rr::internal {
namespace {

constexpr std::size_t kUpperHalf = 128;

// Bytes 0x80 to 0xFF after the mapping tables of the Unicode consortium
// (https://www.unicode.org/Public/MAPPINGS/), free bytes of the Windows pages read as Latin-1.
constexpr std::u16string_view kWindows1252 =
    u"€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008DŽ\u008F\u0090‘’“”•–—˜™š›œ\u009DžŸ\u00A0¡¢£¤¥¦§¨©ª«¬\u00AD®¯°±²³´µ¶"
    u"·¸¹º»¼½¾¿ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõö÷øùúûüýþÿ";

constexpr std::u16string_view kWindows1251 =
    u"ЂЃ‚ѓ„…†‡€‰Љ‹ЊЌЋЏђ‘’“”•–—\u0098™љ›њќћџ\u00A0ЎўЈ¤Ґ¦§Ё©Є«¬\u00AD®Ї°±Ііґµ¶·ё№є»јЅѕїАБВГДЕЖЗИЙК"
    u"ЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯабвгдежзийклмнопрстуфхцчшщъыьэюя";

constexpr std::u16string_view kWindows1250 =
    u"€\u0081‚\u0083„…†‡\u0088‰Š‹ŚŤŽŹ\u0090‘’“”•–—\u0098™š›śťžź\u00A0ˇ˘Ł¤Ą¦§¨©Ş«¬\u00AD®Ż°±˛ł´µ¶"
    u"·¸ąş»Ľ˝ľżŔÁÂĂÄĹĆÇČÉĘËĚÍÎĎĐŃŇÓÔŐÖ×ŘŮÚŰÜÝŢßŕáâăäĺćçčéęëěíîďđńňóôőö÷řůúűüýţ˙";

constexpr std::u16string_view kWindows1253 =
    u"€\u0081‚ƒ„…†‡\u0088‰\u008A‹\u008C\u008D\u008E\u008F\u0090‘’“”•–—\u0098™\u009A›\u009C\u009D"
    u"\u009E\u009F\u00A0΅Ά£¤¥¦§¨©ª«¬\u00AD®―°±²³΄µ¶·ΈΉΊ»Ό½ΎΏΐΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡÒΣΤΥΦΧΨΩΪΫάέήίΰαβγ"
    u"δεζηθικλμνξοπρςστυφχψωϊϋόύώÿ";

constexpr std::u16string_view kWindows1254 =
    u"€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008D\u008E\u008F\u0090‘’“”•–—˜™š›œ\u009D\u009EŸ\u00A0¡¢£¤¥¦§¨©ª«¬"
    u"\u00AD®¯°±²³´µ¶·¸¹º»¼½¾¿ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏĞÑÒÓÔÕÖ×ØÙÚÛÜİŞßàáâãäåæçèéêëìíîïğñòóôõö÷øùúûüışÿ";

constexpr std::u16string_view kWindows1257 =
    u"€\u0081‚\u0083„…†‡\u0088‰\u008A‹\u008C¨ˇ¸\u0090‘’“”•–—\u0098™\u009A›\u009C¯˛\u009F\u00A0¡¢"
    u"£¤¥¦§Ø©Ŗ«¬\u00AD®Æ°±²³´µ¶·ø¹ŗ»¼½¾æĄĮĀĆÄÅĘĒČÉŹĖĢĶĪĻŠŃŅÓŌÕÖ×ŲŁŚŪÜŻŽßąįāćäåęēčéźėģķīļšńņóōõö÷"
    u"ųłśūüżž˙";

constexpr std::u16string_view kIso8859Part2 =
    u"\u0080\u0081\u0082\u0083\u0084\u0085\u0086\u0087\u0088\u0089\u008A\u008B\u008C\u008D\u008E"
    u"\u008F\u0090\u0091\u0092\u0093\u0094\u0095\u0096\u0097\u0098\u0099\u009A\u009B\u009C\u009D"
    u"\u009E\u009F\u00A0Ą˘Ł¤ĽŚ§¨ŠŞŤŹ\u00ADŽŻ°ą˛ł´ľśˇ¸šşťź˝žżŔÁÂĂÄĹĆÇČÉĘËĚÍÎĎĐŃŇÓÔŐÖ×ŘŮÚŰÜÝŢßŕáâă"
    u"äĺćçčéęëěíîďđńňóôőö÷řůúűüýţ˙";

constexpr std::u16string_view kMacRoman =
    u"ÄÅÇÉÑÖÜáàâäãåçéèêëíìîïñóòôöõúùûü†°¢£§•¶ß®©™´¨≠ÆØ∞±≤≥¥µ∂∑∏π∫ªºΩæø¿¡¬√ƒ≈∆«»…\u00A0ÀÃÕŒœ–—“”‘"
    u"’÷◊ÿŸ⁄€‹›ﬁﬂ‡·‚„‰ÂÊÁËÈÍÎÏÌÓÔ\uF8FFÒÚÛÙıˆ˜¯˘˙˚¸˝˛ˇ";

constexpr std::u16string_view kCodePage437 =
    u"ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘"
    u"┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00A0";

std::u16string latin_1() {
  std::u16string upper_half;
  for (char16_t c = 0x80; c <= 0xFF; ++c) upper_half.push_back(c);
  return upper_half;
}

std::vector<CodePage> make_code_pages() {
  return {CodePage(latin_1(), PageKind::kPlain),     CodePage(kWindows1252, PageKind::kSloppy),
          CodePage(kWindows1251, PageKind::kSloppy), CodePage(kWindows1250, PageKind::kSloppy),
          CodePage(kWindows1253, PageKind::kSloppy), CodePage(kWindows1254, PageKind::kSloppy),
          CodePage(kWindows1257, PageKind::kSloppy), CodePage(kIso8859Part2, PageKind::kPlain),
          CodePage(kMacRoman, PageKind::kMacRoman),  CodePage(kCodePage437, PageKind::kPlain)};
}

}  // namespace

CodePage::CodePage(std::u16string_view upper_half, PageKind kind) : kind_(kind) {
  RR_CHECK(upper_half.size() == kUpperHalf, "a code page has 128 characters in its upper half");
  for (std::size_t i = 0; i < kUpperHalf; ++i) {
    bytes_.emplace_back(upper_half[i], static_cast<unsigned char>(kUpperHalf + i));
  }
  std::sort(bytes_.begin(), bytes_.end());
}

std::optional<char> CodePage::byte_of(char32_t c) const {
  constexpr char kLost = 0x1A;
  if (kind_ == PageKind::kSloppy && c == kLost) return std::nullopt;
  if (kind_ == PageKind::kSloppy && c == 0xFFFD) return kLost;
  if (c < 0x80) return static_cast<char>(c);
  if (c > 0xFFFF) return std::nullopt;
  const auto found =
      std::lower_bound(bytes_.begin(), bytes_.end(), std::pair<char16_t, unsigned char>(c, 0));
  if (found == bytes_.end() || found->first != c) return std::nullopt;
  return static_cast<char>(found->second);
}

std::optional<std::string> CodePage::encode(std::u32string_view text) const {
  std::string bytes;
  for (const char32_t c : text) {
    const std::optional<char> byte = byte_of(c);
    if (!byte) return std::nullopt;
    bytes.push_back(*byte);
  }
  return bytes;
}

std::span<const CodePage> code_pages() {
  static const std::vector<CodePage> pages = make_code_pages();
  return pages;
}

char32_t decoded_windows_1252(unsigned char byte) {
  RR_CHECK(byte >= 0x80 && byte <= 0x9F, "only C1 control characters differ from Latin-1");
  return kWindows1252[byte - kUpperHalf];
}

bool is_free_in_windows_1252(char32_t byte) {
  return byte == 0x81 || byte == 0x8D || byte == 0x8F || byte == 0x90 || byte == 0x9D;
}

}  // namespace rr::internal
