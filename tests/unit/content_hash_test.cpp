// The hash of a row's content is stored with the row: another value for the same content would make
// every row of every database look changed. These values must never change.
#include <gtest/gtest.h>
#include <xxhash.h>

#include <string>

#include "sync/transaction.hpp"

namespace flanks {
namespace {

// A row whose columns hold `size` bytes each, or more by one from column to column; some are null.
std::string hash_text(std::size_t size, std::size_t grow) {
  std::array<std::string, column_count> texts;
  transaction t;
  for (std::size_t i = 0; i < column_count; ++i) {
    if (i % 7 == 3) continue;
    for (std::size_t n = 0; n < size + i * grow; ++n)
      texts[i] += static_cast<char>('!' + (i * 31 + n * 7) % 90);
    t.values[i] = texts[i];
  }
  const content_hash h = hash_of(t);
  return std::to_string(h.high) + " " + std::to_string(h.low);
}

TEST(content_hash, is_the_same_for_ever) {
  EXPECT_EQ(hash_text(0, 0), "3656517345094806376 14404720034395518079");
  EXPECT_EQ(hash_text(0, 1), "17113360023591067493 8275075714479921352");
  EXPECT_EQ(hash_text(8, 3), "1462626718973361171 16859803009856524453");
  EXPECT_EQ(hash_text(24, 9), "8648725349023410859 15152917082490689334");
  EXPECT_EQ(hash_text(500, 1), "5228722912526595925 3384311532053422287")
      << "more than is put together at once";
}

// Each column behind its length; all of it at once.
content_hash hash_of_image(const transaction& t) {
  std::string image;
  for (std::size_t i = 1; i < column_count; ++i) {
    const std::string_view value = t.values[i];
    const std::uint64_t length = value.data() == nullptr ? ~std::uint64_t{0} : value.size();
    image.append(reinterpret_cast<const char*>(&length), sizeof length);
    image.append(value);
  }
  const XXH128_hash_t hash = XXH3_128bits(image.data(), image.size());
  return {hash.high64, hash.low64};
}

TEST(content_hash, is_that_of_all_columns_with_their_lengths_however_long_they_are) {
  for (std::size_t size = 0; size < 4400; size += size < 3600 ? 97 : 1) {
    const std::string text(size + 100, 'x');
    transaction t;
    for (std::size_t i = 1; i < column_count; ++i)
      if (i % 5 != 2) t.values[i] = std::string_view(text).substr(i, 3);
    const std::size_t longest = size % 2 == 0 ? 1 : column_count - 1;
    t.values[longest] = std::string_view(text).substr(100, size);
    EXPECT_EQ(hash_of(t, text), hash_of_image(t)) << size;
    EXPECT_EQ(hash_of(t), hash_of_image(t)) << size;
  }
}

}  // namespace
}  // namespace flanks
