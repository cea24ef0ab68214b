// CSV as RFC 4180 has it: what `credentials import` reads.
#include "daemon/csv.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flanks::csv {
namespace {

using testing::ElementsAre;

TEST(csv, fields_quotes_and_both_line_ends) {
  const document d =
      parse("\xef\xbb\xbfuser_id,credentials_token\r\nana,t1\n\"a, \"\"b\"\"\",t2\n\nlast,");
  ASSERT_EQ(d.records.size(), 4U);
  EXPECT_THAT(d.records[0].fields, ElementsAre("user_id", "credentials_token"));
  EXPECT_THAT(d.records[2].fields, ElementsAre("a, \"b\"", "t2"));
  EXPECT_THAT(d.records[3].fields, ElementsAre("last", ""));
  EXPECT_EQ(d.records[3].line, 5);
  EXPECT_FALSE(d.broken_line);
}

TEST(csv, a_line_break_inside_quotes_belongs_to_the_field_and_counts_as_a_line) {
  const document d = parse("\"a\nb\",c\nd,e\n");
  ASSERT_EQ(d.records.size(), 2U);
  EXPECT_THAT(d.records[0].fields, ElementsAre("a\nb", "c"));
  EXPECT_EQ(d.records[1].line, 3);
}

TEST(csv, broken_quotes_are_told_with_their_line) {
  EXPECT_EQ(parse("a,b\n\"open").broken_line, 2);
  EXPECT_EQ(parse("a,b\n\"x\"y,z\n").broken_line, 2);
}

TEST(csv, each_field_has_its_place_in_characters) {
  const document d = parse(
      "\xef\xbb\xbf"
      "a,b\nmu\u00F1oz,t\n\"x\ny\",z\n");
  ASSERT_EQ(d.records.size(), 3U);
  EXPECT_EQ(d.records[1].places[1].line, 2);
  EXPECT_EQ(d.records[1].places[1].column, 7);
  EXPECT_EQ(d.records[2].places[0].line, 3);
  EXPECT_EQ(d.records[2].places[1].line, 4);
  EXPECT_EQ(d.records[2].places[1].column, 4);
}

}  // namespace
}  // namespace flanks::csv
