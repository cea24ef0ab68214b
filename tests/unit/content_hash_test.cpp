// The hash of a row's content is stored with the row: another value for the same content makes
// every row of every database look changed. A new column changes them all, and its migration sets
// flanks.transactions.content_hash to zeros (db/transaction_sql.hpp).
#include <gtest/gtest.h>
#define XXH_INLINE_ALL  // for the secret that XXH3 has when it is given none
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "sync/transaction.hpp"
#include "tests/unit/some_key.hpp"

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
  const content_hash h = hash_of(t, some_key());
  return std::to_string(h.high) + " " + std::to_string(h.low);
}

TEST(content_hash, changes_only_with_the_columns_and_then_a_migration_voids_those_stored) {
  EXPECT_EQ(hash_text(0, 0), "9935247639041988201 3939482797024851517");
  EXPECT_EQ(hash_text(0, 1), "2052411567537569385 4245730803875773611");
  EXPECT_EQ(hash_text(8, 3), "6652511047935623695 16973573049883573564");
  EXPECT_EQ(hash_text(24, 9), "14960438031339732414 16292063677202927191");
  EXPECT_EQ(hash_text(500, 1), "10147989310975910789 10702819127443982318")
      << "more than is put together at once";
}

// Each column behind its length; all of it at once.
std::string image_of(const transaction& t) {
  std::string image;
  for (std::size_t i = 1; i < column_count; ++i) {
    const std::string_view value = t.values[i];
    const std::uint64_t length = value.data() == nullptr ? ~std::uint64_t{0} : value.size();
    image.append(reinterpret_cast<const char*>(&length), sizeof length);
    image.append(value);
  }
  return image;
}

content_hash hash_of_image(const transaction& t) {
  const std::string image = image_of(t);
  const XXH128_hash_t hash =
      XXH3_128bits_withSecret(image.data(), image.size(), some_key().data(), content_key::size);
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
    EXPECT_EQ(hash_of(t, some_key(), text), hash_of_image(t)) << size;
    EXPECT_EQ(hash_of(t, some_key()), hash_of_image(t)) << size;
  }
}

TEST(content_hash, of_a_batch_is_that_of_each_row_wherever_its_text_lies) {
  transaction_batch batch;
  std::vector<content_hash> expected;
  for (std::size_t row = 0; row < 300; ++row) {
    transaction& t = batch.transactions.emplace_back();
    for (std::size_t i = 1; i < column_count; ++i)
      if (i % 4 != 1) t.values[i] = batch.text.copy(std::string((row * i) % 90, 'x'));
    t.values[1] = "EUR";
  }
  for (const transaction& t : batch.transactions)
    expected.push_back(hash_of_image(t));
  batch.hash_content(some_key());
  for (std::size_t row = 0; row < expected.size(); ++row)
    EXPECT_EQ(batch.transactions[row].hash, expected[row]) << row;
}

std::uint64_t word_at(const void* from, std::size_t offset) {
  std::uint64_t word = 0;
  std::memcpy(&word, static_cast<const char*>(from) + offset, sizeof word);
  return word;
}

// Eight bytes of a printable text in two places.
struct two_words {
  std::string first, second;
};

// Words for two stripes of one lane whose low halves make equal factors, and one bit of the high
// halves that can move from one to the other: the sums of XXH3's accumulators stay as they are.
std::optional<std::pair<two_words, two_words>> colliding(std::uint64_t key1, std::uint64_t key2) {
  two_words a{"aaaaaaaa", "aaaaaaaa"};
  for (std::size_t i = 0; i < 4; ++i) {
    const auto needed = static_cast<unsigned char>((key1 ^ key2) >> (8 * i));
    bool found = false;
    for (int c = 0x21; c < 0x7f && !found; ++c) {
      const int other = c ^ needed;
      found = other >= 0x21 && other < 0x7f;
      if (found) a.first[i] = static_cast<char>(c), a.second[i] = static_cast<char>(other);
    }
    if (!found) return std::nullopt;
  }
  constexpr int bit = 1;  // tells 'a' from 'c'
  for (std::size_t i = 4; i < 8; ++i) {
    if (((key1 ^ key2) >> (8 * i + bit) & 1) != 0) continue;
    a.second[i] = 'c';
    two_words b = a;
    b.first[i] = 'c', b.second[i] = 'a';
    return std::pair{a, b};
  }
  return std::nullopt;
}

// Whoever can write the text of a transfer could make two that a hash without a key takes for one:
// the correction of one into the other would be dropped as unchanged.
TEST(content_hash, two_printable_texts_made_for_XXH3_without_a_key_are_told_apart) {
  std::string text(600, '.');
  transaction t;
  const auto set = [&] { t.values[static_cast<std::size_t>(column::description)] = text; };
  set();
  const std::size_t text_begins = image_of(t).find("......");
  const std::size_t stripe = 64, lane = 8;
  const std::size_t first_stripe = (text_begins + stripe - 1) / stripe;
  int made = 0;
  for (std::size_t s1 = first_stripe; s1 < first_stripe + 6; ++s1) {
    for (std::size_t s2 = s1 + 1; s2 < first_stripe + 6; ++s2) {
      for (std::size_t i = 0; i < stripe; i += lane) {
        const auto words =
            colliding(word_at(XXH3_kSecret, s1 * 8 + i), word_at(XXH3_kSecret, s2 * 8 + i));
        if (!words) continue;
        const auto write = [&](const two_words& w) {
          text.assign(600, '.');
          text.replace(s1 * stripe + i - text_begins, lane, w.first);
          text.replace(s2 * stripe + i - text_begins, lane, w.second);
          set();
          const std::string image = image_of(t);
          const XXH128_hash_t known = XXH3_128bits(image.data(), image.size());
          return std::pair{std::pair{known.high64, known.low64}, hash_of(t, some_key())};
        };
        const auto one = write(words->first), other = write(words->second);
        EXPECT_EQ(one.first, other.first) << "the attack no longer works, and so proves nothing";
        EXPECT_FALSE(one.second == other.second) << text;
        ++made;
      }
    }
  }
  EXPECT_GT(made, 0);
}

}  // namespace
}  // namespace flanks
