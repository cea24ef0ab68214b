// Text of others: what of it is well formed, what may be shown.
#include "sync/text.hpp"

#include <gtest/gtest.h>

namespace flanks {
namespace {

using namespace std::literals;

TEST(text, only_well_formed_utf8_is_a_character) {
  const std::string_view none[] = {"",
                                   "\x80",
                                   "\xC1\x81",
                                   "\xE0\x9F\xBF",
                                   "\xED\xA0\x80",
                                   "\xF4\x90\x80\x80",
                                   "\xF8\x88\x80\x80\x80",
                                   "\xC3",
                                   "\xE2\x82"};
  for (const std::string_view bytes : none)
    EXPECT_EQ(character_length(bytes), 0U);
  EXPECT_EQ(character_length("\0x"s), 1U);
  EXPECT_EQ(character_length("ñx"), 2U);
  EXPECT_EQ(character_length("€x"), 3U);
  EXPECT_EQ(character_length("😀x"), 4U);
  EXPECT_EQ(first_not_utf8("Mu\xF1oz"), 2U);
  EXPECT_EQ(first_not_utf8("Muñoz"), std::nullopt);
}

TEST(text, what_is_no_character_becomes_ufffd_byte_by_byte) {
  EXPECT_EQ(cleaned("Mu\xF1oz \xE2\x82", ""), "Mu\uFFFDoz \uFFFD\uFFFD");
  EXPECT_EQ(cleaned("\xED\xA0\x80", ""), "\uFFFD\uFFFD\uFFFD") << "a surrogate";
}

TEST(text, what_steers_a_terminal_is_replaced_and_everything_else_stays) {
  for (const std::string_view steering :
       {"\0"sv, "\t"sv, "\n"sv, "\033"sv, "\x1F"sv, "\x7F"sv, "\u0080"sv, "\u009B"sv, "\u009F"sv,
        "\u061C"sv, "\u200E"sv, "\u200F"sv, "\u2028"sv, "\u2029"sv, "\u202A"sv, "\u202E"sv,
        "\u2066"sv, "\u2069"sv}) {
    EXPECT_EQ(cleaned("a"s.append(steering) + "b", "."), "a.b");
    EXPECT_EQ(cleaned("a"s.append(steering) + "b", ""), "ab");
  }
  for (const std::string_view shown :
       {" ", "~", "\u00A0", "ñ", "\u200D", "\u2027", "\u202F", "\u2065", "\u206A", "😀", "א"})
    EXPECT_EQ(cleaned(shown, "."), shown);
}

TEST(text, clipping_leaves_no_half_character) {
  EXPECT_EQ(clipped("aé", 2), "a");
  EXPECT_EQ(clipped("aé", 3), "aé");
  EXPECT_EQ(clipped("aé", 99), "aé");
  EXPECT_EQ(clipped("é", 1), "");
}

TEST(text, counts_agree_with_their_words) {
  EXPECT_EQ(counted(1, "window"), "1 window");
  EXPECT_EQ(counted(0, "window"), "0 windows");
  EXPECT_EQ(counted(2, "entity", "entities"), "2 entities");
  EXPECT_EQ(plural(1, "is", "are"), "is");
}

TEST(text, bytes_that_no_text_holds_are_told_with_their_place_once_a_line) {
  using namespace std::string_view_literals;
  const auto found = text_flaws("user_id,credentials_token\nMu\xF1oz\xE9,t\n\u00F1\0a\0,u\n"sv);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].at.line, 2);
  EXPECT_EQ(found[0].at.column, 3);
  EXPECT_EQ(found[0].what, "the byte 0xF1 is not UTF-8 (Latin-1?)");
  EXPECT_EQ(found[1].at.line, 3);
  EXPECT_EQ(found[1].at.column, 2);
  EXPECT_EQ(found[1].what, "a NUL byte");
  EXPECT_EQ(text_flaws("\xff\xfeu\0"sv).at(0).what, "it is UTF-16, not UTF-8");
  EXPECT_TRUE(text_flaws("\xef\xbb\xbfuser_id,credentials_token\n").empty());
}

}  // namespace
}  // namespace flanks
