#pragma once

#include <string>
#include <string_view>

namespace rr {

// How an id stands in a file whose columns are divided by blanks.
//
// An id with blanks or control characters (bytes 00..20 and 7F) is written percent-encoded: each of
// these bytes and each '%' as '%' and two upper-case hexadecimal digits. Every other id is written
// as it is, '%' included, unless that spelling would be read as another id; then its '%' become
// "%25".
//
//   id         spelling
//   a b        a%20b
//   100% b     100%25%20b
//   a%20b      a%2520b
//   100%, a%2Fb, 100%25     the same: no blank was ever encoded there
//
// Requires a non-empty id. The spelling is not empty and has no blanks.
std::string spell_id(std::string_view id);
void append_spelling(std::string_view id, std::string& text);

// The id that a spelling stands for: the inverse of spell_id. Text that spell_id never writes,
// such as "100%" or "a b", stands for itself. So read_spelling(spell_id(id)) == id for every id,
// and spell_id(read_spelling(text)) == text for every text without blanks: a file is copied without
// changing a byte of its ids. Every reader of ids applies it, so that two files that spell a
// document alike mean the same document.
std::string read_spelling(std::string_view text);

}  // namespace rr
