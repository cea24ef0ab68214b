// What is known of the stored rows while an answer is compared with them.
#include "db/known_rows.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>
#include <string>
#include <vector>

namespace flanks {
namespace {

TEST(known_rows, finds_each_row_with_its_content_and_no_other) {
  EXPECT_TRUE(rc::check([](const std::vector<std::string>& ids, std::uint64_t seed) {
    known_rows rows(seed);
    std::map<std::string, std::uint64_t> expected;
    for (const std::string& id : ids) {
      const auto [at, added] = expected.try_emplace(id, expected.size());
      if (added) rows.add(id, {7, at->second}, at->second % 2 == 0, at->second % 3 == 0);
    }
    rows.seal();
    for (const auto& [id, n] : expected) {
      known_rows::row* const row = rows.find(id);
      RC_ASSERT(row != nullptr);
      RC_ASSERT(row->content() == (content_hash{7, n}));
      RC_ASSERT(row->doubtful() == (n % 2 == 0) && row->joint() == (n % 3 == 0) && !row->seen());
      row->see({8, n});
      RC_ASSERT(rows.find(id) == row && row->seen() && !row->doubtful());
      RC_ASSERT(row->joint() == (n % 3 == 0));
    }
    RC_ASSERT(expected.contains("nobody") || rows.find("nobody") == nullptr);
  }));
}

TEST(known_rows, a_hundred_thousand_are_all_found) {
  known_rows rows(1);
  for (int i = 0; i < 100000; ++i)
    rows.add(fmt::format("id-{}", i), {0, static_cast<std::uint64_t>(i)}, false, false);
  rows.seal();
  for (int i = 0; i < 100000; ++i) {
    known_rows::row* const row = rows.find(fmt::format("id-{}", i));
    ASSERT_NE(row, nullptr) << i;
    ASSERT_EQ(row->content().low, static_cast<std::uint64_t>(i));
  }
  EXPECT_EQ(rows.find("id-100000"), nullptr);
}

TEST(known_rows, all_are_seen_once_the_last_that_is_live_is) {
  EXPECT_TRUE(rc::check([](const std::map<std::string, bool>& doubtful, std::uint64_t seed) {
    known_rows rows(seed);
    std::int64_t live = 0;
    for (const auto& [id, is_doubtful] : doubtful) {
      rows.add(id, {7, 7}, is_doubtful, false);
      live += is_doubtful ? 0 : 1;
    }
    rows.seal();
    RC_ASSERT(rows.size() == doubtful.size());
    std::int64_t left = live;
    for (const auto& [id, is_doubtful] : doubtful) {
      RC_ASSERT(rows.all_seen() == (left == 0));
      RC_ASSERT(!rows.find(id)->seen());
      rows.find(id)->see({8, 8});
      left -= is_doubtful ? 0 : 1;
    }
    RC_ASSERT(rows.all_seen());
    RC_ASSERT(rows.live() == live);
  }));
}

}  // namespace
}  // namespace flanks
