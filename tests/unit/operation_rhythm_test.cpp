// How long a list usually goes without an operation.
#include "sync/operation_rhythm.hpp"

#include <gtest/gtest.h>

namespace flanks {
namespace {

namespace chr = std::chrono;

const day today = *day_from("2026-11-28");
const window two_years{today - chr::days{730}, today, true};

operation_rhythm of(window days, int first, int last, int step) {
  operation_rhythm r(days);
  for (int ago = first; ago >= last; ago -= step)
    r.add(to_string(today - chr::days{ago}));
  return r;
}

TEST(operation_rhythm, is_the_gap_that_nine_of_ten_keep_to) {
  EXPECT_EQ(of(two_years, 700, 0, 1).usual_gap(), 1);
  EXPECT_EQ(of(two_years, 700, 0, 7).usual_gap(), 7);
  operation_rhythm at_months_end(two_years);
  for (int month = 20; month > 0; --month)
    for (int d = 5; d > 0; --d)
      at_months_end.add(to_string(today - chr::days{month * 30 + d}));
  EXPECT_EQ(at_months_end.usual_gap(), 26);
}

TEST(operation_rhythm, too_few_operations_or_days_have_none) {
  EXPECT_EQ(of(two_years, 30, 0, 10).usual_gap(), std::nullopt);
  EXPECT_EQ(of({today - chr::days{30}, today, true}, 30, 0, 1).usual_gap(), std::nullopt);
}

TEST(operation_rhythm, what_lies_ahead_is_no_last_operation) {
  operation_rhythm r(two_years);
  r.add("2026-11-20");
  r.add("2026-12-24");
  r.add("2020-01-01");
  EXPECT_EQ(r.last_day(), "2026-11-20");
}

}  // namespace
}  // namespace flanks
