#include "rr/bm25/internal/posting_list.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "rr/bm25/internal/little_endian.h"
#include "rr/bm25/internal/small_float.h"

namespace rr::internal {
namespace {

struct Encoded {
  std::vector<Posting> postings;
  std::vector<std::uint8_t> lengths;
  std::string bytes;

  std::optional<PostingList> open() const {
    const std::span all(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    return PostingList::open(all.first(bytes.size() - kUnpackSlack),
                             static_cast<std::uint32_t>(postings.size()),
                             static_cast<std::uint32_t>(lengths.size()));
  }
};

Encoded encode(std::vector<Posting> postings, std::uint32_t num_docs) {
  Encoded encoded{std::move(postings), {}, {}};
  for (std::uint32_t doc = 0; doc < num_docs; ++doc) {
    encoded.lengths.push_back(length_to_byte(1 + doc * 7 % 90));
  }
  encode_postings(encoded.postings, encoded.lengths, encoded.bytes);
  encoded.bytes += std::string(kUnpackSlack, '\0');
  return encoded;
}

// Random gaps and frequencies, now and then large ones.
std::vector<Posting> any_postings(std::size_t max_size) {
  const auto size = *rc::gen::inRange<std::size_t>(1, max_size);
  std::vector<Posting> postings;
  std::uint32_t next = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const auto gap = *rc::gen::inRange<std::uint32_t>(0, i % 50 == 0 ? 1000 : 4);
    const auto frequency = *rc::gen::inRange<std::uint32_t>(1, i % 70 == 0 ? 100000 : 5);
    postings.push_back({next + gap, frequency});
    next += gap + 1;
  }
  return postings;
}

RC_GTEST_PROP(PostingList, ReadsBackWhatWasWritten, ()) {
  const Encoded encoded = encode(any_postings(700), 20000);
  const auto list = encoded.open();
  RC_ASSERT(list.has_value());
  std::array<std::uint32_t, kBlockSize> docs;
  std::array<std::uint32_t, kBlockSize> frequencies;
  std::vector<Impact> impacts;
  std::size_t at = 0;
  for (std::size_t block = 0; block < list->num_blocks(); ++block) {
    RC_ASSERT(list->decode(block, docs, frequencies));
    const bool has_impacts = list->num_blocks() > 1;
    if (has_impacts) RC_ASSERT(list->impacts_of(block, impacts));
    for (std::size_t i = 0; i < list->size_of(block); ++i, ++at) {
      RC_ASSERT(docs[i] == encoded.postings[at].doc);
      RC_ASSERT(frequencies[i] == encoded.postings[at].frequency);
      if (!has_impacts) continue;
      const auto length = encoded.lengths[docs[i]];
      RC_ASSERT(std::any_of(impacts.begin(), impacts.end(), [&](const Impact& impact) {
        return impact.frequency >= frequencies[i] && impact.length <= length;
      }));
    }
    if (!has_impacts) continue;
    RC_ASSERT(docs[list->size_of(block) - 1] == list->last_doc(block));
  }
  RC_ASSERT(at == encoded.postings.size());
}

RC_GTEST_PROP(PostingList, StaysInItsBytesWhateverTheyAre, ()) {
  Encoded encoded = encode(any_postings(400), 20000);
  const auto place = *rc::gen::inRange<std::size_t>(0, encoded.bytes.size() - kUnpackSlack);
  encoded.bytes[place] = static_cast<char>(*rc::gen::arbitrary<std::uint8_t>());
  const auto list = encoded.open();
  if (!list) return;
  std::array<std::uint32_t, kBlockSize> docs;
  std::array<std::uint32_t, kBlockSize> frequencies;
  std::vector<Impact> impacts;
  for (std::size_t block = 0; block < list->num_blocks(); ++block) {
    if (list->num_blocks() > 1) static_cast<void>(list->impacts_of(block, impacts));
    if (!list->decode(block, docs, frequencies)) continue;
    for (std::size_t i = 0; i < list->size_of(block); ++i) RC_ASSERT(docs[i] < 20000U);
  }
}

TEST(SmallFloat, KeepsLengthsAsLuceneDoes) {
  for (std::uint32_t length = 0; length < 40; ++length) {
    EXPECT_EQ(byte_to_length(length_to_byte(length)), length);
  }
  // 24 + 4 significant bits: 100 - 24 = 76 = 1001100b -> 1001000b = 72.
  EXPECT_EQ(byte_to_length(length_to_byte(100)), 96u);
  EXPECT_EQ(byte_to_length(length_to_byte(1000)), 24u + 960u);
  EXPECT_EQ(length_to_byte(0x7FFFFFFFU), 255);
  for (int code = 0; code < 256; ++code) {
    const auto byte = static_cast<std::uint8_t>(code);
    EXPECT_EQ(length_to_byte(byte_to_length(byte)), byte);
  }
}

}  // namespace
}  // namespace rr::internal
