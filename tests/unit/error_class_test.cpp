// The table of error classes: whose turn it is, and what counts against the provider.
#include "sync/error_class.hpp"

#include <gtest/gtest.h>

#include <set>

#include "sync/failure.hpp"

namespace flanks {
namespace {

TEST(error_class, every_class_is_one_row_with_one_sentence) {
  std::set<std::string_view> names;
  for (const error_class_info& k : error_classes()) {
    EXPECT_TRUE(names.insert(k.name).second) << k.name;
    EXPECT_TRUE(k.meaning.ends_with('.')) << k.name;
    EXPECT_EQ(find_error_class(k.name), &k);
  }
}

TEST(error_class, status_without_a_row_belongs_to_its_family) {
  ASSERT_NE(find_error_class("http_503"), nullptr);
  EXPECT_EQ(find_error_class("http_503")->name, "http_5xx");
  EXPECT_EQ(find_error_class("http_418")->who, whose_turn::the_operator);
  EXPECT_EQ(find_error_class("http_700"), nullptr);
  EXPECT_EQ(find_error_class("http_5"), nullptr);
  EXPECT_EQ(find_error_class(""), nullptr);
}

TEST(error_class, what_counts_against_the_provider_is_the_providers_turn) {
  for (const error_class_info& k : error_classes()) {
    EXPECT_TRUE(!k.providers_fault || k.who == whose_turn::the_provider) << k.name;
  }
}

TEST(error_class, each_says_what_to_do) {
  for (const error_class_info& k : error_classes()) {
    EXPECT_FALSE(k.hint.empty()) << k.name;
    EXPECT_FALSE(k.hint.ends_with('.')) << k.name;
  }
}

TEST(error_class, a_failure_has_the_hint_of_its_class_until_it_is_given_its_own) {
  failure f{stage::answer, verdict::retry, "http_503", "GET / answered 503"};
  EXPECT_EQ(f.hint, hint_of("http_5xx"));
  EXPECT_EQ((failure{stage::database, verdict::later, "not_in_the_table", "no"}.hint), "");
}

}  // namespace
}  // namespace flanks
