// Decimal text: the value and the scale must survive, whatever the notation.
#include "sync/flanks/decimal.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

namespace flanks {
namespace {

std::string plain(std::string_view text) {
  std::string work;
  return std::string{plain_decimal(text, work).value_or("refused")};
}

TEST(decimal, notations) {
  const std::pair<const char*, const char*> cases[] = {{"0", "0"},
                                                       {"-12.34", "-12.34"},
                                                       {"+5", "5"},
                                                       {"007.50", "7.50"},
                                                       {"-0", "0"},
                                                       {"-0.00", "0.00"},
                                                       {"1E+2", "100"},
                                                       {"1e2", "100"},
                                                       {"1.50e1", "15.0"},
                                                       {"1.5e3", "1500"},
                                                       {"1e-7", "0.0000001"},
                                                       {"-12.5e-3", "-0.0125"},
                                                       {"0e400", "0"},
                                                       {"0.0e1", "0"},
                                                       {"0e-3", "0.000"},
                                                       {"00", "0"},
                                                       {"1e000000000000", "1"},
                                                       {"123e-2", "1.23"},
                                                       {"0.10e-1", "0.010"},
                                                       {"1e37",
                                                        "1"
                                                        "0000000000000000000000000000000000000"}};
  for (const auto& [sent, expected] : cases)
    EXPECT_EQ(plain(sent), expected) << sent;
}

TEST(decimal, refused) {
  for (const char* const text : {"",         "-",
                                 "+",        ".5",
                                 "5.",       "1e",
                                 "1e+",      "NaN",
                                 "Infinity", "-inf",
                                 "0x1F",     "1,000",
                                 "1 ",       " 1",
                                 "1.2.3",    "--1",
                                 "1e5.5",    "1e38",
                                 "1e-38.",   "1e400",
                                 "1e-400",   "1e99999999999999999999",
                                 "0e-39",    "\xD9\xA1"}) {
    EXPECT_EQ(plain(text), "refused") << text;
  }
}

TEST(decimal, at_most_38_digits) {
  EXPECT_EQ(plain(std::string(38, '9')), std::string(38, '9'));
  EXPECT_EQ(plain(std::string(39, '9')), "refused");
  EXPECT_EQ(plain("0." + std::string(38, '9')), "0." + std::string(38, '9'));
  EXPECT_EQ(plain("0." + std::string(39, '9')), "refused");
  EXPECT_EQ(plain("1." + std::string(38, '9')), "refused");
  EXPECT_EQ(plain("0000" + std::string(38, '9')), std::string(38, '9'));
}

// An independent reading of the rule: shift the point by counting.
RC_GTEST_PROP(decimal, plain_text_has_the_same_value_and_the_scale_of_postgres, ()) {
  const auto digits =
      *rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::inRange('0', ':')));
  const int scale = *rc::gen::inRange(0, static_cast<int>(digits.size()));
  const int exponent = *rc::gen::inRange(-45, 45);
  std::string sent = digits;
  if (scale > 0) sent.insert(sent.size() - static_cast<std::size_t>(scale), ".");
  sent += "e" + std::to_string(exponent);

  const int final_scale = std::max(scale - exponent, 0);
  std::string shifted = digits;
  if (exponent > scale) shifted.append(static_cast<std::size_t>(exponent - scale), '0');
  while (shifted.size() <= static_cast<std::size_t>(final_scale))
    shifted.insert(0, "0");
  std::string whole = shifted.substr(0, shifted.size() - static_cast<std::size_t>(final_scale));
  whole.erase(0, std::min(whole.find_first_not_of('0'), whole.size()));
  const std::string fraction =
      shifted.substr(shifted.size() - static_cast<std::size_t>(final_scale));
  const bool fits = whole.size() + fraction.size() <= 38;
  const std::string expected =
      (whole.empty() ? "0" : whole) + (fraction.empty() ? "" : "." + fraction);
  RC_ASSERT(plain(sent) == (fits ? expected : "refused"));
}

RC_GTEST_PROP(decimal, plain_text_stays_as_it_is, ()) {
  const auto cents = *rc::gen::arbitrary<std::int64_t>();
  RC_PRE(cents != 0);
  std::string text = std::to_string(cents);
  const std::size_t sign = text[0] == '-' ? 1 : 0;
  while (text.size() - sign < 3)
    text.insert(sign, "0");
  text.insert(text.size() - 2, ".");
  RC_ASSERT(plain(text) == text);
}

TEST(decimal, jsonb_takes_numbers_that_do_not_blow_up) {
  EXPECT_TRUE(fits_jsonb("2.50"));
  EXPECT_TRUE(fits_jsonb("-1E+999"));
  EXPECT_TRUE(fits_jsonb("1e00000000005"));
  EXPECT_FALSE(fits_jsonb("1e1000"));
  EXPECT_FALSE(fits_jsonb("1e-1000"));
  EXPECT_FALSE(fits_jsonb(std::string(1001, '1')));
}

}  // namespace
}  // namespace flanks
