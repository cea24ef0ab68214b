// What we ask, byte for byte.
#include "sync/flanks/query.hpp"

#include <gtest/gtest.h>

#include "sync/failure.hpp"
#include "sync/flanks/origin.hpp"

namespace flanks {
namespace {

TEST(query, window_of_operation_dates) {
  const secret token{std::string{"ct-1"}};
  const window days{*day_from("2024-11-22"), *day_from("2026-11-22")};
  EXPECT_EQ(transactions_body(token, days).reveal(),
            R"({"credentials_token":"ct-1","query":{"operationDate":[{"gte":"2024-11-22",)"
            R"("lte":"2026-11-22"}]},"ignore_data_error":false})");
  EXPECT_EQ(transactions_body(token, {days.from, days.to, true}).reveal(),
            R"({"credentials_token":"ct-1","query":{"operationDate":[{"gte":"2024-11-22"}]},)"
            R"("ignore_data_error":false})");
}

TEST(query, a_token_cannot_break_out_of_its_string) {
  const secret token{std::string{"a\"b\\c\n"}};
  EXPECT_EQ(status_body(token).reveal(), R"({"credentials_token":"a\"b\\c\u000a"})");
}

TEST(query, endpoints) {
  EXPECT_EQ(transactions_endpoint(product::account), "/v0/bank/credentials/data");
  EXPECT_EQ(transactions_endpoint(product::card), "/v0/bank/credentials/card/transaction");
  EXPECT_EQ(transactions_endpoint(product::investment),
            "/v0/bank/credentials/investment/transaction");
  EXPECT_EQ(transactions_endpoint(product::liability),
            "/v0/bank/credentials/liability/transaction");
}

TEST(query, both_grants) {
  provider_options o;
  provider_keys keys;
  o.client_id = "id";
  keys.client_secret = secret{std::string{"s"}};
  o.username = "u";
  keys.password = secret{std::string{"p"}};
  EXPECT_EQ(token_body(o, keys).reveal(),
            R"({"client_id":"id","client_secret":"s","grant_type":"client_credentials"})");
  o.grant_type = grant::password;
  EXPECT_EQ(
      token_body(o, keys).reveal(),
      R"({"client_id":"id","client_secret":"s","grant_type":"password","username":"u","password":"p"})");
}

TEST(origin, where_requests_go) {
  const origin a = origin_of("https://api.flanks.io");
  EXPECT_TRUE(a.tls);
  EXPECT_EQ(a.authority(), "api.flanks.io:443");
  EXPECT_EQ(a.host_header(), "api.flanks.io");
  EXPECT_EQ(a.path_prefix, "");
  const origin b = origin_of("https://[::1]:8443/mirror/");
  EXPECT_EQ(b.authority(), "[::1]:8443");
  EXPECT_EQ(b.host, "::1");
  EXPECT_TRUE(b.is_address);
  EXPECT_EQ(b.path_prefix, "/mirror");
  EXPECT_FALSE(origin_of("http://127.0.0.1:8080").tls);
  EXPECT_EQ(origin_of("http://localhost").port, 80);
}

TEST(origin, refused) {
  for (const char* const url :
       {"", "api.flanks.io", "ftp://api.flanks.io", "http://api.flanks.io", "https://",
        "https://u:p@api.flanks.io", "https://api.flanks.io/?x=1", "https://api.flanks.io:0",
        "http://localhost.example", "https://api flanks"}) {
    EXPECT_THROW((void)origin_of(url), failure) << url;
  }
  try {
    (void)origin_of("http://api.flanks.io");
  } catch (const failure& f) {
    EXPECT_STREQ(f.what(), "flanks.base_url may use plain http:// for loopback only");
    EXPECT_EQ(f.stage, stage::configuration);
  }
}

}  // namespace
}  // namespace flanks
