// Answers to failures: the table of design section 5, with the texts that operators read.
#include "sync/flanks/errors.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flanks {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

const call_info data_call{"POST /v0/bank/credentials/data at api.flanks.io:443", {}};

answer answered(int status, std::string body = "") {
  answer a;
  a.status = status;
  a.body_bytes = static_cast<std::int64_t>(body.size());
  a.body = std::move(body);
  return a;
}

struct row {
  int status;
  const char* body;
  flanks::verdict verdict;
  const char* name;
  const char* says;  // behind "... answered NNN"
};

TEST(errors, status_to_failure) {
  const row table[] = {
      {400,
       R"({"success":false,"error":{"code":"ValidationError","details":[{"error_type":"missing","field":"credentials_token"}]},"trace_id":"5b1e"})",
       verdict::later, "bad_request",
       ": it refused the request: ValidationError: missing credentials_token (trace_id 5b1e)"},
      {400,
       R"({"success":false,"error":{"code":"E7","details":[{"error_type":"x","field":"query.operationDate.0.gte"}]}})",
       verdict::halve, "window_refused",
       ": it refused the operation dates that were asked for: E7: x query.operationDate.0.gte"},
      {400, R"({"error":{"details":[{"error_type":"x","field":"operationDates"}]}})",
       verdict::later, "bad_request", ": it refused the request: x operationDates"},
      {400, R"({"error":{"details":[{"error_type":"x","field":"query.date_from"}]}})",
       verdict::halve, "window_refused",
       ": it refused the operation dates that were asked for: x query.date_from"},
      {400, R"({"error":{"details":[{"error_type":"x","field":"date_to"}]}})", verdict::halve,
       "window_refused", ": it refused the operation dates that were asked for: x date_to"},
      {400, R"({"error":{"details":[{"error_type":"date_from","field":"update_from"}]}})",
       verdict::later, "bad_request", ": it refused the request: date_from update_from"},
      {401, R"({"error":"Invalid credentials"})", verdict::park, "unauthorized",
       ": it refused the access token, also a fresh one: Invalid credentials"},
      {403, "", verdict::park, "forbidden", ": it does not permit this call with these API keys"},
      {404, R"({"error":"Not found"})", verdict::park, "not_found",
       ": it does not know this credential: Not found"},
      {413, "", verdict::halve, "too_large",
       ": it says that the request or its result is too large"},
      {429, "", verdict::later, "rate_limited", ": it says that there were too many requests"},
      {500, R"({"error":"Internal Error"})", verdict::retry, "http_500", ": Internal Error"},
      {502, "<html>", verdict::retry, "http_502", ""},
      {503, "", verdict::retry, "http_503", ""},
      {504, "", verdict::retry, "http_504", ""},
      {418, "", verdict::later, "http_418", ""},
      {202, "[]", verdict::later, "http_202", ""},
      {204, "", verdict::later, "no_content", ": it sent nothing at all (No Content)"},
      {304, "", verdict::later, "not_modified",
       ": it says that nothing has changed (Not Modified), which was not asked"},
  };
  for (const row& r : table) {
    const failure f = from_status(answered(r.status, r.body), data_call);
    EXPECT_EQ(f.stage, stage::answer);
    EXPECT_EQ(f.verdict, r.verdict) << r.status;
    EXPECT_EQ(f.error_class, r.name);
    EXPECT_EQ(f.http_status, r.status);
    EXPECT_EQ(f.what(), data_call.what + " answered " + std::to_string(r.status) + r.says);
  }
}

TEST(errors, code_and_trace_id_are_kept) {
  const failure f = from_status(
      answered(400, R"({"error":{"code":"ValidationError","details":[]},"trace_id":"5b1e"})"),
      data_call);
  EXPECT_EQ(f.provider_code, "ValidationError");
  EXPECT_EQ(f.trace_id, "5b1e");
}

TEST(errors, not_modified_hints_at_who_may_have_said_it) {
  answer a = answered(304);
  a.location = "https://elsewhere.example/";
  const failure f = from_status(a, data_call);
  EXPECT_EQ(f.hint,
            "a proxy or cache in between may answer in the provider's place: find out which");
  EXPECT_THAT(f.what(), Not(HasSubstr("elsewhere")));
}

TEST(errors, redirect_names_the_host_only) {
  answer a = answered(302);
  a.location = "https://user:pw@evil.example:8443/path?token=abc";
  const failure f = from_status(a, data_call);
  EXPECT_EQ(f.error_class, "redirect");
  EXPECT_EQ(f.verdict, verdict::later);
  EXPECT_EQ(f.what(),
            data_call.what + " answered 302, a redirect to evil.example:8443; it was not followed");
}

TEST(errors, redirect_repeats_no_secret_and_nothing_that_cannot_be_stored_or_shown) {
  const secret token{std::string{"ct-12/3@456"}};
  call_info call = data_call;
  call.secrets = {&token};
  const auto host = [&](std::string location) {
    answer a = answered(307);
    a.location = std::move(location);
    return std::string{from_status(a, call).what()}.substr(data_call.what.size());
  };
  const auto to = [](std::string_view shown) {
    return " answered 307, a redirect to " + std::string{shown} + "; it was not followed";
  };
  EXPECT_EQ(host("https://ct-12/3@456.evil.example/x"), to("***.evil.example"));
  EXPECT_EQ(host("https://x@ct-12/3@456"), to("***"));
  EXPECT_EQ(host("//ct-1\x01"
                 "2/3@456"),
            to("***"));
  EXPECT_EQ(host("https://Mu\xF1oz\x9B.example/"), to("Mu\uFFFDoz\uFFFD.example"));
  EXPECT_EQ(host("https://a\u202Eb\u009B[31m.example/"), to("ab[31m.example"));
}

TEST(errors, retry_after_in_both_forms_within_bounds) {
  const char* const sent = "Sun, 22 Nov 2026 10:00:00 GMT";
  EXPECT_EQ(retry_after("", sent), std::nullopt);
  EXPECT_EQ(retry_after("7", sent), seconds{7});
  EXPECT_EQ(retry_after("0", sent), seconds{1});
  EXPECT_EQ(retry_after("86400", sent), seconds{86'400});
  EXPECT_EQ(retry_after("999999", sent), seconds{86'400});
  EXPECT_EQ(retry_after("99999999999999999999999", sent), seconds{86'400});
  EXPECT_EQ(retry_after("Sun, 22 Nov 2026 10:02:00 GMT", sent), seconds{120});
  EXPECT_EQ(retry_after("Sunday, 22-Nov-26 10:02:00 GMT", sent), seconds{120});
  EXPECT_EQ(retry_after("Sun Nov 22 10:02:00 2026", sent), seconds{120});
  EXPECT_EQ(retry_after("Sun, 22 Nov 2026 09:00:00 GMT", sent), seconds{1});
  EXPECT_EQ(retry_after("Sun, 22 Nov 2026 10:02:00 GMT", ""), std::nullopt)
      << "our own clock says nothing of theirs";
  EXPECT_EQ(retry_after("soon", sent), std::nullopt);
  EXPECT_EQ(retry_after("-5", sent), std::nullopt);
}

TEST(errors, retry_after_is_read_for_429_and_503_only) {
  for (const int status : {429, 503, 500}) {
    answer a = answered(status);
    a.retry_after = "30";
    const std::optional<seconds> expected =
        status == 500 ? std::nullopt : std::optional<seconds>{30};
    EXPECT_EQ(from_status(a, data_call).retry_after, expected) << status;
  }
}

TEST(errors, ok_with_something_else_where_a_list_belongs) {
  const auto name = [](std::string body) {
    return from_body(answered(200, std::move(body)), data_call, "a list").error_class;
  };
  EXPECT_EQ(name(""), "empty_body");
  EXPECT_EQ(name(" \r\n"), "empty_body");
  EXPECT_EQ(name(" <!DOCTYPE html>"), "html");
  EXPECT_EQ(name(R"({"message":"credentials are being processed"})"), "error_object");
  EXPECT_EQ(name(R"({"data":[]})"), "unexpected_body");
  EXPECT_EQ(name("nonsense"), "invalid_json");
  EXPECT_EQ(name("{\"a\":"), "truncated");
  const failure f = from_body(answered(200, R"({"message":"credentials are being processed"})"),
                              data_call, "a list");
  EXPECT_EQ(f.what(),
            data_call.what +
                " answered 200 with an error object where a list belongs: credentials are "
                "being processed");
  EXPECT_EQ(f.verdict, verdict::later);
}

TEST(errors, provider_text_is_cut_cleaned_and_never_repeats_a_secret) {
  const secret token{std::string{"ct-123456"}};
  call_info call = data_call;
  call.secrets = {&token};
  const std::string body = R"({"error":"no such \u001b[31m ct-123456\n)" + std::string(300, 'x') +
                           R"(","trace_id":"ct-123456"})";
  const failure f = from_status(answered(404, body), call);
  EXPECT_THAT(f.what(), Not(HasSubstr("ct-123456")));
  EXPECT_THAT(f.what(), HasSubstr("no such [31m ***xxx"));
  EXPECT_EQ(f.trace_id, "***");
  EXPECT_LT(std::string{f.what()}.size(), 400U);
  EXPECT_EQ(presentable("aé", 2, {}), "a") << "no half a character";
  EXPECT_EQ(presentable("a\xF1"
                        "b\u0085\u2066c",
                        9, {}),
            "a\uFFFDbc");
}

TEST(errors, other_content_of_a_body_is_never_shown) {
  const failure f =
      from_status(answered(500, R"({"error":"x","iban":"ES7921000813610123456789"})"), data_call);
  EXPECT_THAT(f.what(), Not(HasSubstr("ES79")));
  const failure g =
      from_body(answered(200, R"({"iban":"ES7921000813610123456789"})"), data_call, "a list");
  EXPECT_THAT(g.what(), Not(HasSubstr("ES79")));
}

TEST(errors, token_call_refused_is_for_an_operator) {
  const call_info token_call{"POST /v0/token at api.flanks.io:443", {}};
  for (const int status : {400, 401, 403}) {
    const failure f = from_token_status(
        answered(status, R"({"error":"Invalid client credentials"})"), token_call, "my-app");
    EXPECT_EQ(f.stage, stage::token);
    EXPECT_EQ(f.verdict, verdict::stop);
    EXPECT_EQ(f.error_class, "token_refused");
    EXPECT_EQ(f.what(),
              "POST /v0/token at api.flanks.io:443 refused the API keys of client_id "
              "\"my-app\" with " +
                  std::to_string(status) + ": Invalid client credentials");
    EXPECT_EQ(f.hint, "check flanks.client_id, flanks.client_secret_file and flanks.grant_type");
  }
  EXPECT_EQ(from_token_status(answered(500), token_call, "my-app").verdict, verdict::retry);
}

}  // namespace
}  // namespace flanks
