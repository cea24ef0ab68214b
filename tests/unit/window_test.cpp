// Window arithmetic, for every day of 2000 to 2100 (promise P4).
#include "sync/window.hpp"

#include <gtest/gtest.h>

#include <random>

namespace flanks {
namespace {

namespace chr = std::chrono;
using namespace std::chrono_literals;

const day first = chr::sys_days{2000y / 1 / 1};
const day last = chr::sys_days{2100y / 12 / 31};

day the(std::string_view text) {
  return *day_from(text);
}

TEST(window, months_before_clamps_to_the_end_of_the_month) {
  EXPECT_EQ(to_string(months_before(the("2024-02-29"), 24)), "2022-02-28");
  EXPECT_EQ(to_string(months_before(the("2024-03-31"), 1)), "2024-02-29");
  EXPECT_EQ(to_string(months_before(the("2023-03-31"), 1)), "2023-02-28");
  EXPECT_EQ(to_string(months_before(the("2026-01-15"), 13)), "2024-12-15");
  EXPECT_EQ(to_string(months_before(the("2026-11-22"), 0)), "2026-11-22");
}

TEST(window, history_of_every_day_reaches_back_24_months_and_never_skips_a_day) {
  day previous_from = history(first, 24).from;
  for (day d = first; d <= last; d += chr::days{1}) {
    const window w = history(d, 24);
    const chr::year_month_day today{d};
    const chr::year_month_day from{w.from};
    ASSERT_EQ(w.to, d);
    ASSERT_EQ(from.year(), today.year() - chr::years{2}) << to_string(d);
    ASSERT_EQ(from.month(), today.month()) << to_string(d);
    ASSERT_LE(static_cast<unsigned>(from.day()), static_cast<unsigned>(today.day()))
        << to_string(d);
    ASSERT_GE(static_cast<unsigned>(from.day()) + 1, static_cast<unsigned>(today.day()))
        << to_string(d);
    ASSERT_GE(w.from, previous_from) << "history went backwards at " << to_string(d);
    ASSERT_LE(w.from, previous_from + chr::days{2}) << to_string(d);
    previous_from = w.from;
  }
}

TEST(window, next_window_of_every_day_overlaps_what_is_covered) {
  for (day d = first; d <= last; d += chr::days{1}) {
    const window covered{history(d, 24).from, d};
    for (const int away : {1, 29, 400}) {
      const day today = d + chr::days{away};
      const window next = next_window(covered, history(today, 24), chr::days{30});
      ASSERT_EQ(next.from, d - chr::days{30}) << to_string(d) << " away " << away;
      ASSERT_EQ(next.to, today);
      ASSERT_TRUE(next.open);
    }
  }
}

TEST(window, next_window_without_coverage_is_all_history) {
  EXPECT_EQ(next_window(std::nullopt, history(the("2026-11-22"), 24), chr::days{30}),
            (window{the("2024-11-22"), the("2026-11-22"), true}));
}

TEST(window, next_window_is_all_history_when_its_beginning_was_never_covered) {
  const window covered{the("2026-06-01"), the("2026-11-21")};
  EXPECT_EQ(next_window(covered, history(the("2026-11-22"), 24), chr::days{30}),
            (window{the("2024-11-22"), the("2026-11-22"), true}));
}

TEST(window, next_window_after_years_away_is_no_more_than_all_history) {
  const window covered{the("2015-01-01"), the("2019-01-01")};
  EXPECT_EQ(next_window(covered, history(the("2026-11-22"), 24), chr::days{30}),
            (window{the("2024-11-22"), the("2026-11-22"), true}));
}

TEST(window, next_window_survives_a_clock_that_was_set_back) {
  const window covered{the("2020-01-01"), the("2027-03-01")};
  EXPECT_EQ(next_window(covered, history(the("2026-11-22"), 24), chr::days{30}),
            (window{the("2026-10-23"), the("2026-11-22"), true}));
}

TEST(window, what_reaches_today_is_open_and_what_ends_before_is_not) {
  const day today = the("2026-11-22");
  const window before{the("2026-11-01"), the("2026-11-21")};
  EXPECT_EQ(open_if_current(before, today), before);
  EXPECT_EQ(open_if_current({the("2026-11-01"), today}, today),
            (window{the("2026-11-01"), today, true}));
  EXPECT_EQ(open_if_current({the("2026-11-01"), the("2027-02-01")}, today),
            (window{the("2026-11-01"), today, true}));
  EXPECT_EQ(open_if_current({the("2026-12-01"), the("2027-02-01")}, today),
            (window{the("2026-12-01"), the("2026-12-01"), true}));
}

TEST(window, an_open_one_holds_all_later_days_and_so_does_the_last_of_its_parts) {
  const window w{the("2026-11-01"), the("2026-11-20"), true};
  EXPECT_TRUE(w.contains(the("2031-01-01")));
  EXPECT_FALSE(w.contains(the("2026-10-31")));
  EXPECT_FALSE((window{w.from, w.to}).contains(the("2026-11-21")));
  EXPECT_EQ(halves(w)->first, (window{the("2026-11-01"), the("2026-11-10")}));
  EXPECT_EQ(halves(w)->second, (window{the("2026-11-11"), the("2026-11-20"), true}));
  EXPECT_EQ(cut(w, 7).back(), (window{the("2026-11-14"), the("2026-11-20"), true}));
  EXPECT_FALSE(cut(w, 7).front().open);
}

TEST(window, halves_meet_without_gap_or_overlap) {
  std::mt19937 random(20261122);
  for (int i = 0; i < 10'000; ++i) {
    const day from = first + chr::days{std::uniform_int_distribution<>(0, 36'000)(random)};
    const window w{from, from + chr::days{std::uniform_int_distribution<>(0, 800)(random)}};
    const auto parts = halves(w);
    if (w.days() == 1) {
      ASSERT_FALSE(parts);
      continue;
    }
    ASSERT_TRUE(parts);
    ASSERT_EQ(parts->first.from, w.from);
    ASSERT_EQ(parts->first.to + chr::days{1}, parts->second.from);
    ASSERT_EQ(parts->second.to, w.to);
    ASSERT_GE(parts->first.days(), 1);
    ASSERT_GE(parts->second.days(), parts->first.days());
  }
}

TEST(window, cut_makes_the_fewest_even_windows_without_gap_or_overlap) {
  std::mt19937 random(20261123);
  for (int i = 0; i < 20'000; ++i) {
    const day from = first + chr::days{std::uniform_int_distribution<>(0, 36'000)(random)};
    const window w{from, from + chr::days{std::uniform_int_distribution<>(0, 800)(random)}};
    const int limit = std::uniform_int_distribution<>(1, 900)(random);
    const std::vector<window> parts = cut(w, limit);
    ASSERT_EQ(parts.front().from, w.from);
    ASSERT_EQ(parts.back().to, w.to);
    ASSERT_EQ(static_cast<int>(parts.size()), (w.days() + limit - 1) / limit);
    for (std::size_t k = 0; k < parts.size(); ++k) {
      ASSERT_LE(parts[k].days(), limit);
      ASSERT_GE(parts[k].days(), w.days() / static_cast<int>(parts.size()));
      if (k > 0) {
        ASSERT_EQ(parts[k - 1].to + chr::days{1}, parts[k].from);
      }
    }
    const auto both = halves(w);
    if (both && cut(w, both->second.days()).size() == 2) {
      ASSERT_EQ(cut(w, both->second.days()), (std::vector{both->first, both->second}));
    }
  }
}

TEST(window, grown_doubles_until_all_history_fits) {
  const window all{the("2024-11-22"), the("2026-11-22")};
  EXPECT_EQ(grown(1, all), 2);
  EXPECT_EQ(grown(364, all), 728);
  EXPECT_EQ(grown(365, all), 0);
}

TEST(day, reads_only_days_that_exist) {
  EXPECT_EQ(to_string(the("2024-02-29")), "2024-02-29");
  for (const char* const bad :
       {"2023-02-29", "2026-13-01", "2026-00-10", "2026-1-01", "2026-11-22 ", "2026/11/22", "",
        "0000-01-01", "2026-11-31", "+026-11-01"}) {
    EXPECT_FALSE(day_from(bad)) << bad;
  }
}

TEST(day, every_day_survives_the_way_to_text_and_back) {
  for (day d = first; d <= last; d += chr::days{1})
    ASSERT_EQ(day_from(to_string(d)), d);
}

}  // namespace
}  // namespace flanks
