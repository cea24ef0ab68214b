// Which texts are blank, and what is well-formed UTF-8.
#include "sync/blank.hpp"
#include "sync/text.hpp"

#include <gtest/gtest.h>

#include <string>

namespace flanks {
namespace {

TEST(blank, nothing_and_whatever_shows_nothing_is_blank) {
  for (const std::string_view text :
       {"", " ", "\t\r\n\v\f", "\x01\x1f\x7f", "\u0085\u00A0", "\u1680\u2000\u200A\u2028\u2029",
        "\u202F\u205F\u3000", "\u200B\u200C\u200D\u2060\uFEFF", "\u200E\u202E\u2069\u00AD"})
    EXPECT_TRUE(is_blank(text)) << text;
  EXPECT_TRUE(is_blank(std::string_view("\0\0", 2)));
}

TEST(blank, one_visible_character_is_enough) {
  for (const std::string_view text :
       {"a", " a ", "0", "-", "\u200Bx", "\u00F1", "\u00A1", "\u3001", "\U0001F600", "\u2010"})
    EXPECT_FALSE(is_blank(text)) << text;
}

TEST(blank, bytes_that_are_not_utf8_are_not_blank) {
  for (const std::string_view text : {"\xA0", "\x85", " \xFF", "\xE2\x80", "\xC0\x80"})
    EXPECT_FALSE(is_blank(text));
}

TEST(utf8, the_first_character_has_its_code_and_its_size) {
  const auto is = [](std::string_view text, char32_t code, std::size_t size) {
    ASSERT_EQ(character_length(text), size) << text;
    EXPECT_EQ(code_point(text.substr(0, size)), code) << text;
  };
  EXPECT_EQ(character_length(""), 0U);
  is(std::string_view("\0a", 2), 0, 1);
  is("ab", U'a', 1);
  is("\u00F1o", 0xF1, 2);
  is("\u20AC", 0x20AC, 3);
  is("\uD7FF", 0xD7FF, 3);
  is("\uE000", 0xE000, 3);
  is("\U00010000", 0x10000, 4);
  is("\U0010FFFF", 0x10FFFF, 4);
}

TEST(utf8, what_is_cut_overlong_a_surrogate_or_beyond_unicode_is_no_character) {
  for (const std::string_view text :
       {"\x80", "\xC1\xBF", "\xC3", "\xC3\x28", "\xE0\x9F\xBF", "\xE2\x82", "\xE2\x28\xA1",
        "\xED\xA0\x80", "\xF0\x8F\xBF\xBF", "\xF0\x9F\x98", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80",
        "\xFF"})
    EXPECT_EQ(character_length(text), 0U);
}

}  // namespace
}  // namespace flanks
