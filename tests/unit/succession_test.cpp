// When a credential takes over an account from another one.
#include "sync/succession.hpp"

#include <gtest/gtest.h>

namespace flanks {
namespace {

constexpr auto nothing = succession_verdict::nothing;
constexpr auto confirm = succession_verdict::confirm;
constexpr auto review = succession_verdict::review;

TEST(succession, takes_98_of_100_rows_or_all_of_fewer_than_five_on_one_iban) {
  struct line {
    succession_facts facts;
    succession_verdict expected;
  };
  const line lines[] = {
      {{0, 0, true}, nothing},  {{100, 98, false}, confirm},  {{100, 97, true}, review},
      {{5, 5, false}, confirm}, {{5, 4, true}, review},       {{50, 49, false}, confirm},
      {{49, 48, true}, review}, {{4, 4, true}, confirm},      {{4, 4, false}, review},
      {{4, 3, true}, review},   {{1, 1, true}, confirm},      {{1, 0, true}, review},
      {{1, 1, false}, review},  {{1000, 980, true}, confirm},
  };
  for (const line& l : lines)
    EXPECT_EQ(decide_succession(l.facts), l.expected)
        << l.facts.paired << " of " << l.facts.compared << (l.facts.same_iban ? ", one IBAN" : "");
}

}  // namespace
}  // namespace flanks
