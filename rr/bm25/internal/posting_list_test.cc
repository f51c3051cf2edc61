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
  std::uint32_t num_docs;
  std::string bytes;

  std::optional<PostingList> open() const {
    const std::span all(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    return PostingList::open(all.first(bytes.size() - kUnpackSlack),
                             static_cast<std::uint32_t>(postings.size()), num_docs);
  }
};

Encoded encode(std::vector<Posting> postings, std::uint32_t num_docs) {
  Encoded encoded{std::move(postings), num_docs, {}};
  encode_postings(encoded.postings, num_docs, encoded.bytes);
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

// More than any_postings() needs. Of the smaller, some lists are dense.
std::uint32_t any_num_docs() { return *rc::gen::element<std::uint32_t>(20000, 1000000); }

RC_GTEST_PROP(PostingList, ReadsBackWhatWasWritten, ()) {
  const Encoded encoded = encode(any_postings(700), any_num_docs());
  const auto list = encoded.open();
  RC_ASSERT(list.has_value());
  std::vector<Posting> postings;
  RC_ASSERT(list->decode_all(postings));
  RC_ASSERT(postings.size() == encoded.postings.size());
  for (std::size_t i = 0; i < postings.size(); ++i) {
    RC_ASSERT(postings[i].doc == encoded.postings[i].doc);
    RC_ASSERT(postings[i].frequency == encoded.postings[i].frequency);
  }
}

RC_GTEST_PROP(PostingList, KnowsTheLastDocumentOfEachBlock, ()) {
  const Encoded encoded = encode(any_postings(1500), 1000000);
  const BlockList blocks = encoded.open().value().listed();
  std::array<std::uint32_t, kBlockSize> docs;
  std::array<std::uint32_t, kBlockSize> frequencies;
  for (std::size_t block = 0; blocks.num_blocks() > 1 && block < blocks.num_blocks(); ++block) {
    RC_ASSERT(blocks.decode(block, docs, frequencies));
    RC_ASSERT(docs[blocks.size_of(block) - 1] == blocks.last_doc(block));
  }
}

TEST(PostingList, HasCodesWhereManyDocumentsHaveTheTerm) {
  std::vector<Posting> postings;
  for (std::uint32_t doc = 0; doc < 1000; doc += 5) postings.push_back({doc, 1 + doc % 7});
  const Encoded encoded = encode(postings, 1000);
  const PostingList list = encoded.open().value();
  ASSERT_NE(list.codes(), nullptr);
  for (const Posting& posting : postings) {
    EXPECT_EQ(code_of(list.codes(), posting.doc), std::min(posting.frequency, kMostCode));
    EXPECT_EQ(code_of(list.codes(), posting.doc + 1), 0u);
  }
  EXPECT_EQ(encode(postings, 100000).open()->codes(), nullptr);
}

RC_GTEST_PROP(PostingList, StaysInItsBytesWhateverTheyAre, ()) {
  Encoded encoded = encode(any_postings(400), any_num_docs());
  const auto place = *rc::gen::inRange<std::size_t>(0, encoded.bytes.size() - kUnpackSlack);
  encoded.bytes[place] = static_cast<char>(*rc::gen::arbitrary<std::uint8_t>());
  const auto list = encoded.open();
  std::vector<Posting> postings;
  if (!list || !list->decode_all(postings)) return;
  for (const Posting& posting : postings) RC_ASSERT(posting.doc < encoded.num_docs);
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
