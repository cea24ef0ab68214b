// What is known of the stored rows while an answer is compared with them.
#include "sync/fingerprint_set.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <array>
#include <map>
#include <string>
#include <vector>

#include "tests/unit/some_key.hpp"

namespace flanks {
namespace {

constexpr day some_day{std::chrono::days{20'000}};
constexpr window all_days{some_day, some_day + std::chrono::days{400}};

TEST(fingerprint_set, finds_each_row_with_its_content_and_no_other) {
  EXPECT_TRUE(rc::check([](const std::vector<std::string>& ids, std::uint64_t seed) {
    fingerprint_set rows(seed, some_key(), all_days);
    std::map<std::string, std::uint64_t> expected;
    for (const std::string& id : ids) {
      const auto [at, added] = expected.try_emplace(id, expected.size());
      if (added) rows.add(id, {7, at->second}, some_day, at->second % 2 == 0, at->second % 3 == 0);
    }
    rows.seal();
    for (const auto& [id, n] : expected) {
      const fingerprint* const row = rows.find(id);
      RC_ASSERT(row != nullptr);
      RC_ASSERT(row->content() == (content_hash{7, n}));
      RC_ASSERT(row->gone() == (n % 2 == 0) && row->joint() == (n % 3 == 0) && !row->seen());
      rows.see(rows.index_of(id), {8, n});
      RC_ASSERT(rows.find(id) == row && row->seen() && !row->gone());
      RC_ASSERT(row->joint() == (n % 3 == 0));
    }
    RC_ASSERT(expected.contains("nobody") || rows.find("nobody") == nullptr);
  }));
}

TEST(fingerprint_set, a_hundred_thousand_are_all_found) {
  fingerprint_set rows(1, some_key(), all_days);
  for (int i = 0; i < 100000; ++i)
    rows.add(fmt::format("id-{}", i), {0, static_cast<std::uint64_t>(i)}, some_day, false, false);
  rows.seal();
  for (int i = 0; i < 100000; ++i) {
    const fingerprint* const row = rows.find(fmt::format("id-{}", i));
    ASSERT_NE(row, nullptr) << i;
    ASSERT_EQ(row->content().low, static_cast<std::uint64_t>(i));
  }
  EXPECT_EQ(rows.find("id-100000"), nullptr);
}

TEST(fingerprint_set, all_are_seen_once_the_last_that_is_live_is) {
  EXPECT_TRUE(rc::check([](const std::map<std::string, bool>& gone, std::uint64_t seed) {
    fingerprint_set rows(seed, some_key(), all_days);
    std::int64_t live = 0;
    for (const auto& [id, is_gone] : gone) {
      rows.add(id, {7, 7}, some_day, is_gone, false);
      live += is_gone ? 0 : 1;
    }
    rows.seal();
    RC_ASSERT(rows.all().size() == gone.size());
    std::int64_t left = live;
    for (const auto& [id, is_gone] : gone) {
      RC_ASSERT(rows.all_seen() == (left == 0));
      RC_ASSERT(!rows.find(id)->seen());
      rows.see(rows.index_of(id), {8, 8});
      left -= is_gone ? 0 : 1;
    }
    RC_ASSERT(rows.all_seen());
    RC_ASSERT(rows.live() == live);
  }));
}

TEST(fingerprint_set, those_of_other_days_are_known_and_not_missed) {
  fingerprint_set rows(1, some_key(), {some_day, some_day});
  rows.add("here", {1, 1}, some_day, false, false);
  rows.add("before", {1, 1}, some_day - std::chrono::days{1}, false, false);
  rows.add("after", {1, 1}, some_day + std::chrono::days{1}, false, false);
  rows.seal();
  EXPECT_EQ(rows.live(), 1);
  EXPECT_FALSE(rows.all_seen());
  rows.see(rows.index_of("here"), {1, 1});
  EXPECT_TRUE(rows.all_seen());
  ASSERT_NE(rows.find("before"), nullptr);
  EXPECT_FALSE(rows.find("before")->inside());
}

TEST(fingerprint_set, packed_rows_come_back_as_they_were) {
  EXPECT_TRUE(rc::check([](const std::map<std::string, bool>& removed, std::uint64_t seed) {
    constexpr std::array days{day{std::chrono::year{1} / 1 / 1}, some_day,
                              day{std::chrono::year{9999} / 12 / 31}};
    fingerprint_set before(seed, some_key(), all_days), after(seed, some_key(), all_days);
    std::size_t n = 0;
    for (const auto& [id, is_removed] : removed)
      before.add(id, {~n, n}, days.at(n % days.size()), is_removed, false), ++n;
    std::string packed;
    for (const fingerprint& r : before.all())
      packed.append(fingerprint_set::pack(r).data(), fingerprint_set::packed_size);
    RC_ASSERT(packed.size() == removed.size() * fingerprint_set::packed_size);
    after.add_packed(packed);
    after.seal();
    RC_ASSERT(after.live() == before.live());
    n = 0;
    for (const auto& [id, is_removed] : removed) {
      const fingerprint* const row = after.find(id);
      RC_ASSERT(row != nullptr);
      RC_ASSERT(row->content() == (content_hash{~n, n}));
      RC_ASSERT(row->on() == days.at(n % days.size()));
      RC_ASSERT(row->gone() == is_removed && !row->seen() && !row->joint());
      ++n;
    }
  }));
}

// What is stored is read by other machines, and by later versions.
TEST(fingerprint_set, the_packed_form_is_the_one_that_is_stored) {
  fingerprint_set rows(0x5eed, some_key(), all_days);
  rows.add("65f0a1b2c3d4e5f607182930", {0x0102030405060708, 0x090a0b0c0d0e0f10},
           day{std::chrono::year{2026} / 5 / 17}, true, false);
  std::string packed, hex;
  packed.append(fingerprint_set::pack(rows.all().front()).data(), fingerprint_set::packed_size);
  for (const char byte : packed)
    hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  EXPECT_EQ(hex.substr(0, 32), "0807060504030201100f0e0d0c0b0a09");
  EXPECT_EQ(hex.substr(56), "016e850c") << "800 000 + 20 590 days, and that it is removed";
  EXPECT_EQ(hex.substr(32, 24), "243660dba11aadd357d9b418") << "the hash of the _id";
}

}  // namespace
}  // namespace flanks
