// Pages of Aggregation v2: taken apart without losing a digit, refused when they are no pages.
#include "sync/flanks/page.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sync/failure.hpp"
#include "sync/flanks/query.hpp"

namespace flanks {
namespace {

using testing::ElementsAre;

const call_info call{"POST /list at flanks", {}};

answer body(std::string text) {
  answer a;
  a.status = 200;
  a.body_bytes = static_cast<std::int64_t>(text.size());
  a.body = std::move(text);
  return a;
}

std::string error_of(const std::string& text) {
  const answer a = body(text);
  try {
    (void)read_page(a, call);
  } catch (const failure& f) {
    return f.error_class;
  }
  return "";
}

// "column=value" of every column that is not null, of every transaction.
std::vector<std::string> rows_of(const transaction_batch& batch) {
  std::vector<std::string> rows;
  for (const transaction& t : batch.transactions) {
    std::string row;
    for (std::size_t c = 0; c < column_count; ++c) {
      if (t.values[c].data() == nullptr) continue;
      row += std::string(row.empty() ? "" : " ") + std::string(name_of(static_cast<column>(c))) +
             "=" + std::string(t.values[c]);
    }
    rows.push_back(row);
  }
  return rows;
}

transaction_batch read(const std::string& items, product what = product::card) {
  const answer a = body("{\"items\":[" + items + "],\"next_page_token\":null}");
  const page p = read_page(a, call);
  listed_transactions reader(call, what, {"p1", "p2"});
  return reader.read(p, a, 0, 1000);
}

TEST(page, items_stay_the_text_that_was_sent) {
  const answer a = body(
      " {\"more\": {\"a\": [1]}, \"items\" : [ {\"a\":\"]},{\\\"\"} , {\"b\":[{}, 1.50]}\n], "
      "\"next_page_token\" : \"t\\u0031\" } ");
  const page p = read_page(a, call);
  EXPECT_THAT(p.items, ElementsAre("{\"a\":\"]},{\\\"\"}", "{\"b\":[{}, 1.50]}"));
  EXPECT_EQ(p.next, "t1");
  const answer last = body(R"({"items":[],"next_page_token":null})");
  EXPECT_TRUE(read_page(last, call).items.empty());
  EXPECT_FALSE(read_page(last, call).next);
}

TEST(page, without_a_token_it_is_the_last_one) {
  const answer empty = body(R"({"items":[]})");
  EXPECT_TRUE(read_page(empty, call).items.empty());
  EXPECT_FALSE(read_page(empty, call).next);
  const answer more = body(R"({"items":[{"a":1}],"pages":1})");
  EXPECT_THAT(read_page(more, call).items, ElementsAre(R"({"a":1})"));
  EXPECT_FALSE(read_page(more, call).next);
}

TEST(page, what_is_no_page_is_an_error_and_never_empty) {
  for (const char* const text :
       {"", "[]", "{}", "null", "<html>", R"({"message":"later"})",
        R"({"items":null,"next_page_token":null})", R"({"items":{},"next_page_token":null})",
        R"({"items":[],"next_page_token":""})", R"({"items":[],"next_page_token":7})",
        R"({"items":[)", R"({"items":[{}],"next_page_token":null)",
        R"({"items":[{},],"next_page_token":null})", R"({"items":[],"next_page_token":null}x)",
        R"({"items":[],"items":[],"next_page_token":null})",
        R"({"items":[],"next_page_token":nul})", R"({"items":[{"a":1],"next_page_token":null})"})
    EXPECT_NE(error_of(text), "") << text;
  EXPECT_EQ(error_of(R"({"items":[],"next_page_token":null})"), "");
}

TEST(page, a_record_becomes_the_columns_of_its_product) {
  const std::string record =
      R"({"transaction_id":"t","product_id":"p1","amount":-1.50,"currency":"EUR","description":"d",)"
      R"("date":"2026-05-01T10:00:00","category":null,"labels":{"a":1.0}})";
  EXPECT_THAT(
      rows_of(read(record)),
      ElementsAre("_id=t card_id=p1 operation_date=2026-05-01 amount=-1.50 currency=EUR "
                  R"(description=d extra={"date":"2026-05-01T10:00:00","labels":{"a":1.0}})"));
  const std::vector<std::string> columns{"account_id=p1", "card_id=p1", "investment_id=p1",
                                         "liability_id=p1"};
  for (const product what : all_products)
    EXPECT_THAT(rows_of(read(record, what)).at(0),
                testing::HasSubstr(columns[static_cast<std::size_t>(what)]));
}

TEST(page, bad_records_go_to_quarantine_and_the_rest_goes_on) {
  const transaction_batch batch =
      read(R"({"product_id":"p1","amount":1,"date":"2026-05-01"},)"
           R"({"transaction_id":"a","amount":1,"date":"2026-05-01"},)"
           R"({"transaction_id":"b","product_id":"p2","amount":1,"date":"2026-05-01"})");
  EXPECT_THAT(rows_of(batch), ElementsAre("_id=b card_id=p2 operation_date=2026-05-01 amount=1"));
  ASSERT_EQ(batch.rejected.size(), 2U);
  EXPECT_EQ(batch.rejected[0].reason, "missing_id");
  EXPECT_EQ(batch.rejected[1].reason, "missing_product_id");
  EXPECT_EQ(batch.elements(), 3);
}

TEST(page, an_operation_of_another_product_fails_the_answer) {
  EXPECT_THROW(read("{} {}"), failure) << "two values are no item";
  EXPECT_THROW(
      read(R"({"transaction_id":"a","product_id":"other","amount":1,"date":"2026-05-01"})"),
      failure);
}

TEST(page, a_product_of_a_new_type_fails_loudly) {
  const answer good =
      body(R"({"items":[{"product_id":"p","type":"card","x":1}],"next_page_token":null})");
  EXPECT_EQ(read_products(read_page(good, call), good, call).at(0).id, "p");
  for (const char* const item : {R"({"product_id":"p","type":"pension"})", R"({"product_id":"p"})",
                                 R"({"type":"card"})", "7"}) {
    const answer a = body("{\"items\":[" + std::string(item) + "],\"next_page_token\":null}");
    EXPECT_THROW((void)read_products(read_page(a, call), a, call), failure) << item;
  }
}

TEST(page, a_product_says_its_type_in_several_spellings) {
  const auto type_of = [](const char* said) {
    const answer a = body(R"({"items":[{"product_id":"p",)" + std::string(said) + "}]}");
    return read_products(read_page(a, call), a, call).at(0).type;
  };
  for (const char* const said :
       {R"("product_type":"Account")", R"("product_type":"account")", R"("type":"Account")",
        R"("type":"ACCOUNT")", R"("type":"account")",
        R"("type":"Savings","product_type":"Account")", R"("product_type":"Account","type":3)",
        R"("product_type":null,"type":"Account")"})
    EXPECT_EQ(type_of(said), "account") << said;
  EXPECT_EQ(type_of(R"("product_type":"Liability")"), "liability");
  for (const char* const said : {R"("product_type":"Pension","type":"account")", R"("type":3)"})
    EXPECT_THROW((void)type_of(said), failure) << said;
}

TEST(page, other_days_than_the_one_asked_for_are_noticed) {
  const auto shows_only_may_day = [](const char* items) {
    const answer a = body("{\"items\":[" + std::string(items) + "]}");
    return shows_only(read_page(a, call), a, call, *day_from("2026-05-01"));
  };
  EXPECT_TRUE(shows_only_may_day(""));
  EXPECT_TRUE(shows_only_may_day(R"({"date":"2026-05-01"},{"date":"2026-05-01T23:59:59"})"));
  EXPECT_TRUE(shows_only_may_day(R"({"date":null},{"date":"soon"},{},7)")) << "no day at all";
  EXPECT_FALSE(shows_only_may_day(R"({"date":"2026-05-01"},{"date":"2026-04-30"})"));
}

TEST(page, a_walk_that_leads_in_a_circle_ends) {
  page_walk walk(call, 100);
  EXPECT_FALSE(walk.token());
  page p;
  p.next = "a";
  walk.go_on(p);
  p.next = "b";
  walk.go_on(p);
  EXPECT_EQ(walk.token(), "b");
  p.next = "a";
  EXPECT_THROW(walk.go_on(p), failure);
  page_walk other(call, 100);
  p.next = std::nullopt;
  other.go_on(p);
  EXPECT_FALSE(other.more());
}

TEST(query, listing_bodies) {
  const secret token{std::string{"ct\"1"}};
  EXPECT_EQ(listing_body(token, {}, std::nullopt, std::nullopt).reveal(),
            R"({"query":{"connection_id_in":["ct\"1"]},"page_token":null})")
      << "an empty list would be a filter that nothing passes";
  EXPECT_EQ(
      listing_body(token, {"a", "b"}, std::nullopt, "t").reveal(),
      R"({"query":{"connection_id_in":["ct\"1"],"product_id_in":["a","b"]},"page_token":"t"})");
}

TEST(query, listing_bodies_with_days) {
  const secret token{std::string{"ct"}};
  const window days{*day_from("2026-01-01"), *day_from("2026-01-31")};
  EXPECT_EQ(listing_body(token, {"a"}, days, "t").reveal(),
            R"({"query":{"connection_id_in":["ct"],"product_id_in":["a"],)"
            R"("date_from":"2026-01-01","date_to":"2026-01-31"},"page_token":"t"})");
  const window open{days.from, days.to, true};
  EXPECT_EQ(listing_body(token, {}, open, std::nullopt).reveal(),
            R"({"query":{"connection_id_in":["ct"],"date_from":"2026-01-01"},"page_token":null})");
}

TEST(page, a_walk_of_too_many_pages_ends_and_names_its_limit) {
  page_walk walk(call, 3);
  page one;
  for (const char* const next : {"a", "b"}) {
    one.next = next;
    walk.go_on(one);
  }
  one.next = "c";
  try {
    walk.go_on(one);
    ADD_FAILURE() << "a fourth page was asked for";
  } catch (const failure& f) {
    EXPECT_EQ(f.error_class, "too_many_pages");
    EXPECT_THAT(f.what(), testing::HasSubstr("after 2 others, as many as limits.answer_pages"));
  }
}

}  // namespace
}  // namespace flanks
