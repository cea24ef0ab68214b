// sync.query: every mistake with its place, and one text for one filter.
#include "sync/query_filter.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "config/load.hpp"
#include "sync/flanks/query.hpp"

namespace flanks {
namespace {

using testing::HasSubstr;

const std::string head =
    "flanks:\n  client_id: a\n  client_secret_file: b\ndatabase:\n  dsn: dbname=d\nsync:\n  "
    "query: ";

config::loaded read(const std::string& query) {
  return config::load_text(head + query + "\n", "c.yaml", [](std::string_view name) {
    return name == "SHOP" ? std::optional<std::string>("^Shop$") : std::nullopt;
  });
}

std::string members(const std::string& query) {
  const config::loaded l = read(query);
  for (const config::mistake& m : l.mistakes)
    ADD_FAILURE() << config::to_string(m);
  return canonical_members(l.values.sync.query);
}

std::string complaint(const std::string& query) {
  const config::loaded l = read(query);
  if (l.mistakes.size() != 1) ADD_FAILURE() << query << ": " << l.mistakes.size() << " mistakes";
  return l.mistakes.empty() ? "" : config::to_string(l.mistakes.front());
}

TEST(query_filter, one_text_for_one_filter) {
  EXPECT_EQ(members("{}"), "");
  EXPECT_EQ(members(R"({shop: ["b", "a", "b"], amount: [{lte: 5.50, gte: -10}]})"),
            R"("amount":[{"gte":-10,"lte":5.50}],"shop":["a","b"])");
  EXPECT_EQ(members(R"({valueDate: [{gte: 2026-01-31}], _id: ["^\\d+\"$"]})"),
            R"("_id":["^\\d+\"$"],"valueDate":[{"gte":"2026-01-31"}])");
  EXPECT_EQ(members("{shop: [\"${SHOP}\"]}"), R"("shop":["^Shop$"])");
}

TEST(query_filter, is_sent_beside_the_window) {
  const window days{*day_from("2026-01-01"), *day_from("2026-02-01")};
  EXPECT_EQ(transactions_body(secret{std::string{"t"}}, days, members("{shop: [a]}")).reveal(),
            R"({"credentials_token":"t","query":{"operationDate":[{"gte":"2026-01-01",)"
            R"("lte":"2026-02-01"}],"shop":["a"]},"ignore_data_error":false})");
}

TEST(query_filter, is_shown_so_that_it_reads_back_the_same) {
  const std::string query =
      R"({description: ["a\"b\\.c", "^\\$", "x$${y}"], amount: [{gte: -1, lte: 0.5}], valueDate: [{lte: 2026-01-01}]})";
  const config::loaded first = read(query);
  ASSERT_TRUE(first.ok());
  const config::loaded second =
      config::load_text(config::show(first.values), "c.yaml",
                        [](std::string_view) { return std::optional<std::string>{}; });
  ASSERT_TRUE(second.ok()) << config::to_string(second.mistakes.front());
  EXPECT_EQ(canonical_members(second.values.sync.query), members(query));
}

TEST(query_filter, mistakes_have_a_place_and_a_hint) {
  EXPECT_EQ(
      complaint("{operationDate: [{gte: 2026-01-01}]}"),
      "c.yaml:7:11: sync.query.operationDate: belongs to the window of each run and cannot be "
      "filtered here\n  hint: sync.history_months says how far back to read; backfill takes "
      "--from and --to");
  EXPECT_EQ(
      complaint("{amount: [{gte: 1}, {gte: x}]}"),
      "c.yaml:7:36: sync.query.amount: a bound must be a decimal number of at most 38 digits\n"
      "  hint: write it like -12.50");
  EXPECT_THAT(complaint("{categry: [a]}"), HasSubstr("did you mean category?"));
}

TEST(query_filter, refuses_what_would_be_sent_in_vain) {
  const std::map<std::string, std::string> bad{
      {"[a]", "must be a mapping"},
      {"abc", "must be a mapping"},
      {"{shop: a}", "must be a list"},
      {"{shop: }", "must be a list"},
      {"{shop: []}", "empty list"},
      {"{shop: [\"\"]}", "is empty"},
      {"{shop: [{gte: 1}]}", "takes regular expressions"},
      {"{shop: [\"a(\"]}", "never closes a ("},
      {"{shop: [\"a)\"]}", "never opened"},
      {"{shop: [\"[a\"]}", "never closes a ["},
      {"{shop: ['a\\']}", "ends in a backslash"},
      {"{shop: [\"*a\"]}", "nothing to repeat"},
      {"{shop: [\"a|+\"]}", "nothing to repeat"},
      {"{shop: [a], shop: [b]}", "given twice"},
      {"{shop: [\"${NOT_SET}\"]}", "NOT_SET"},
      {"{amount: [5]}", "takes ranges"},
      {"{amount: [{}]}", "takes ranges"},
      {"{amount: [{gt: 5}]}", "bounds gte and lte"},
      {"{amount: [{gte: 1, gte: 2}]}", "given twice"},
      {"{amount: [{gte: 1e5}]}", "decimal number"},
      {"{amount: [{gte: 007}]}", "decimal number"},
      {"{amount: [{gte: .5}]}", "decimal number"},
      {"{amount: [{gte: NaN}]}", "decimal number"},
      {"{amount: [{gte: 10, lte: 9.99}]}", "lte lies below gte"},
      {"{amount: [{gte: -1, lte: -1.01}]}", "lte lies below gte"},
      {"{amount: [{gte: 0.1, lte: 0}]}", "lte lies below gte"},
      {"{valueDate: [{gte: 2026-02-30}]}", "a day that exists"},
      {"{valueDate: [{gte: 2026-02-02, lte: 2026-02-01}]}", "lte lies below gte"},
  };
  for (const auto& [query, words] : bad)
    EXPECT_THAT(complaint(query), HasSubstr(words)) << query;
}

TEST(query_filter, takes_what_a_provider_may_take) {
  for (const char* const query :
       {R"({shop: ["^(a|b)+$", "[]a]", "[^]]x", "(?i)abc", "a*?", "\\(", "a{2,3}", "[(]"]})",
        "{amount: [{gte: -0.5, lte: 0}]}", "{amount: [{gte: 5, lte: 5.00}]}",
        "{amount: [{gte: -0, lte: 0}]}", "{amount: [{gte: 9, lte: 10}]}",
        "{valueDate: [{gte: 2026-02-01, lte: 2026-02-01}]}"})
    EXPECT_FALSE(members(query).empty()) << query;
}

}  // namespace
}  // namespace flanks
