// The credentials status answer.
#include "sync/flanks/status.hpp"

#include <gtest/gtest.h>

namespace flanks {
namespace {

const call_info call{"POST /status at flanks", {}};

credential_status read(std::string body) {
  answer a;
  a.status = 200;
  a.body_bytes = static_cast<std::int64_t>(body.size());
  a.body = std::move(body);
  return read_status(a, call);
}

std::string error_class_of(const std::string& body) {
  try {
    (void)read(body);
    return "none";
  } catch (const failure& f) {
    return f.error_class;
  }
}

constexpr const char* example =
    R"({"pending": false, "blocked": false, "reset_token": null, "sca_token": null, "transaction_token": null,
 "name": "testbank", "last_update": "2026-11-21", "time": "04:12", "last_update_timestamp": 1795234320,
 "created_at_timestamp": 1767225600, "last_transaction_date": "2026-11-20",
 "errored": {"product": {"auth": false, "account": false, "card": false, "portfolio": false, "investment": false, "liability": false, "holders": false},
             "transactions": {"account": false, "card": true, "investment": false, "liability": false}},
 "created": {"product": {"auth": true, "account": true, "card": true, "portfolio": true, "investment": true, "liability": true, "holders": true},
             "transactions": {"account": true, "card": true, "investment": true, "liability": true}}})";

TEST(status, example_of_the_contract) {
  const credential_status s = read(example);
  EXPECT_FALSE(s.pending || s.blocked || s.reset_required || s.sca_required ||
               s.transaction_token_required);
  EXPECT_EQ(s.bank, "testbank");
  EXPECT_EQ(s.last_update, instant{std::chrono::seconds{1795234320}});
  EXPECT_EQ(s.created_at, instant{std::chrono::seconds{1767225600}});
  EXPECT_EQ(s.last_transaction_date, day_from("2026-11-20"));
  for (const product p : all_products) {
    EXPECT_EQ(s.of(p).created, true);
    EXPECT_EQ(s.of(p).errored, p == product::card);
  }
}

TEST(status, lists_of_products_have_flags_of_their_own) {
  const credential_status s = read(
      R"({"pending":false,"created":{"product":{"auth":false,"holders":true,"card":true},"transactions":{"card":false}},
          "errored":{"product":{"holders":true,"auth":false}}})");
  EXPECT_EQ(s.of(product_kind::identity).created, false);
  EXPECT_EQ(s.of(product_kind::identity).errored, false);
  EXPECT_EQ(s.of(product_kind::holder).created, true);
  EXPECT_EQ(s.of(product_kind::holder).errored, true);
  EXPECT_EQ(s.of(product_kind::card).created, true);
  EXPECT_EQ(s.of(product::card).created, false);
  EXPECT_EQ(s.of(product_kind::account).created, std::nullopt) << "not said is not false";
}

TEST(status, both_spellings_of_transactions) {
  const credential_status s = read(
      R"({"pending":false,"created":{"transaction":{"card":false}},"errored":{"transactions":{"card":true}}})");
  EXPECT_EQ(s.of(product::card).created, false);
  EXPECT_EQ(s.of(product::card).errored, true);
  EXPECT_EQ(s.of(product::account).created, std::nullopt) << "not said is not false";
}

TEST(status, a_flag_that_is_no_boolean_says_nothing_and_proves_nothing) {
  for (const char* const odd : {"\"true\"", "1", "0", "\"false\"", "{}", "[]", "null"}) {
    const credential_status s =
        read(R"({"pending":false,"errored":{"transactions":{"card":)" + std::string(odd) +
             R"(,"account":false},"product":{"account":)" + odd +
             R"(}},"created":{"transactions":{"liability":)" + odd + "}}}");
    for (const product p : {product::card, product::liability}) {
      EXPECT_FALSE(s.of(p).proves_absence()) << odd;
      EXPECT_EQ(s.of(p).errored, std::nullopt) << odd;
      EXPECT_EQ(s.of(p).created, std::nullopt) << odd;
    }
    EXPECT_TRUE(s.of(product::account).proves_absence()) << odd;
    EXPECT_FALSE(s.of(product_kind::account).proves_absence()) << odd;
    EXPECT_TRUE(s.of(product_kind::card).proves_absence()) << odd;
    EXPECT_EQ(s.oddities, (std::vector<std::string>{"errored.transactions.card is no boolean",
                                                    "created.transactions.liability is no boolean",
                                                    "errored.product.account is no boolean"}));
  }
  for (const char* const odd : {"true", "\"x\"", "[]", "null"}) {
    const credential_status s = read(R"({"pending":false,"errored":)" + std::string(odd) + "}");
    for (const product p : all_products)
      EXPECT_FALSE(s.of(p).proves_absence()) << odd;
  }
}

TEST(status, milliseconds_are_told_from_seconds) {
  EXPECT_EQ(read(R"({"pending":false,"last_update_timestamp":1795234320123})").last_update,
            instant{std::chrono::seconds{1795234320}});
  EXPECT_EQ(read(R"({"pending":false,"last_update_timestamp":1795234320.9})").last_update,
            instant{std::chrono::seconds{1795234320}});
  for (const char* const odd : {"null", "0", "-1", "1e30", "\"2026\""}) {
    EXPECT_EQ(
        read(std::string{R"({"pending":false,"last_update_timestamp":)"} + odd + "}").last_update,
        std::nullopt)
        << odd;
  }
}

TEST(status, tokens_say_that_the_user_must_act) {
  const credential_status s = read(
      R"({"pending":true,"blocked":true,"reset_token":"r","sca_token":"s","transaction_token":"t"})");
  EXPECT_TRUE(s.pending && s.blocked && s.reset_required && s.sca_required &&
              s.transaction_token_required);
}

TEST(status, what_does_not_say_pending_is_never_taken_for_a_status) {
  EXPECT_EQ(error_class_of("{}"), "bad_status");
  EXPECT_EQ(error_class_of(R"({"pending":null})"), "bad_status");
  EXPECT_EQ(error_class_of(R"({"pending":"false"})"), "bad_status");
  EXPECT_EQ(error_class_of(R"({"message":"not yet"})"), "error_object");
  EXPECT_EQ(error_class_of("[]"), "unexpected_body");
  EXPECT_EQ(error_class_of(""), "empty_body");
  EXPECT_EQ(error_class_of("<html>"), "html");
  EXPECT_EQ(error_class_of("{\"pending\":fal"), "truncated");
  EXPECT_EQ(error_class_of("{\"pending\":false,\"name\":\"\xC3\x28\"}"), "invalid_json");
}

}  // namespace
}  // namespace flanks
