// What people see: tables, numbers, the line of progress.
#include "daemon/terminal.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>

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

TEST(terminal, text_of_others_cannot_draw_on_it) {
  const std::string evil = "a\033]0;x\007\r\n\x7F\u009B31m\u202Eb\xF1";
  EXPECT_EQ(terminal::printable(evil), "a ]0;x     31m b\uFFFD");
  EXPECT_EQ(terminal::printable("Peñalara 😀 אב"), "Peñalara 😀 אב");
  terminal::table table({{"x", terminal::align::right}});
  table.add({"\x9B\x9B"});
  EXPECT_EQ(table.text(), " x\n\uFFFD\uFFFD\n") << "widths are those of what is shown";
}

TEST(terminal, print_takes_numbers_text_lines_and_what_is_ours) {
  const std::string_view evil = "a\nb\033c";
  const auto shown = [&](const auto& argument) {
    char* text = nullptr;
    std::size_t size = 0;
    std::FILE* const out = ::open_memstream(&text, &size);
    terminal::print(out, "<{}>\n", argument);
    std::fclose(out);
    const std::unique_ptr<char, decltype(&std::free)> owned(text, &std::free);
    return std::string(text, size);
  };
  EXPECT_EQ(shown(evil), "<a b c>\n");
  EXPECT_EQ(shown(std::string(evil)), "<a b c>\n");
  EXPECT_EQ(shown(terminal::lines{evil}), "<a\nb c>\n");
  EXPECT_EQ(shown(terminal::verbatim{evil}), "<a\nb\033c>\n");
  EXPECT_EQ(shown(42), "<42>\n");
}

TEST(terminal, json_says_the_same_in_characters_that_steer_nothing) {
  EXPECT_EQ(terminal::printable_json("{\"a\":\"\\u001b ñ\u009B\u2066\x7F\xF1\"}"),
            "{\"a\":\"\\u001b ñ\\u009b\\u2066\\u007f\\ufffd\"}");
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
