// What people see: tables, numbers, the line of progress.
#include "daemon/terminal.hpp"

#include <gtest/gtest.h>

#include "daemon/progress.hpp"

namespace flanks {
namespace {

using namespace std::chrono_literals;

TEST(terminal, numbers_and_times_as_people_write_them) {
  EXPECT_EQ(terminal::grouped(0), "0");
  EXPECT_EQ(terminal::grouped(999), "999");
  EXPECT_EQ(terminal::grouped(1000), "1 000");
  EXPECT_EQ(terminal::grouped(-1234567), "-1 234 567");
  EXPECT_EQ(terminal::clock(42s), "0:42");
  EXPECT_EQ(terminal::clock(11220s), "3:07:00");
  EXPECT_EQ(terminal::rough(4s), "just now");
  EXPECT_EQ(terminal::rough(119s), "119 s");
  EXPECT_EQ(terminal::rough(120s), "2 min");
  EXPECT_EQ(terminal::rough(3h), "3 h");
  EXPECT_EQ(terminal::rough(72h), "3 d");
}

TEST(terminal, tables_align_by_code_points_and_cannot_be_drawn_on) {
  terminal::table table({{"name"}, {"n", terminal::align::right}});
  table.add({"Peñalara", "1"});
  table.add({"a\033[31mb\n", "12"});
  EXPECT_EQ(table.text(),
            "name       n\n"
            "Peñalara   1\n"
            "a [31mb   12\n");
}

TEST(progress, the_live_line_fits_its_width_and_knows_the_time_left) {
  progress_numbers n;
  n.items = 48;
  n.items_done = 12;
  n.rows = 60'000;
  n.elapsed = 3s;
  EXPECT_EQ(live_line(n, 100, false),
            "[#######.......................] 12/48 windows  60 000 rows  20 000 rows/s  ETA 0:09");
  EXPECT_LT(live_line(n, 40, false).size(), 40U);
  n.failed = 2;
  EXPECT_TRUE(live_line(n, 120, false).ends_with("ETA 0:09  2 failed"));
  n.items_done = n.items_before = 12;
  EXPECT_TRUE(live_line(n, 120, false).find("ETA --:--") != std::string::npos)
      << "what an earlier start did tells no rate";
}

TEST(progress, the_plain_line_is_one_sentence) {
  progress_numbers n;
  n.items = 4;
  n.items_done = 1;
  n.rows = 500;
  n.elapsed = 1s;
  EXPECT_EQ(plain_line(n),
            "backfill 25%: 1 of 4 windows, 500 rows, 500 rows/s, ETA 0:03, 0 failed");
}

}  // namespace
}  // namespace flanks
