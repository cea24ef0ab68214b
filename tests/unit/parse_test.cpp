// Bytes to transactions: what a reader of flanks.transactions sees of what the provider sent.
#include "sync/flanks/parse.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <map>

#include "tests/unit/some_key.hpp"

namespace flanks {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// The example of the API contract, as it is.
constexpr std::string_view example = R"([
 {"_id": "65f0a1b2c3d4e5f601234567", "account_id": "65f0a1b2c3d4e5f6000000aa", "amount": -12.34, "balance": 913.33,
  "currency": "EUR", "operationDate": "2026-10-11", "valueDate": "2026-10-12", "description": "TRANSFERENCIA A FAVOR DE LUISA",
  "productDescription": "Cuenta nómina", "category": "Transfers", "entity": "testbank", "cardNumber": null,
  "transfer": {"beneficiary": "Luisa Ejemplo", "ibanBeneficiary": "ES9121000418450200051332", "payer": "Ana Ejemplo", "ibanPayer": "ES7921000813610123456789"}},
 {"_id": "65f0a1b2c3d4e5f601234568", "account_id": "65f0a1b2c3d4e5f6000000aa", "amount": "1500.10", "balance": 2413.43,
  "currency": "EUR", "operationDate": "2026-10-28T00:00:00", "valueDate": "2026-10-28", "description": "NÓMINA OCTUBRE",
  "category": "Salary", "entity": "testbank", "shop": null, "someFieldOfTomorrow": {"k": [1, 2.50, "x"]}}
]
)";

// Everything that was handed on, as values that outlive the batches.
struct everything {
  std::vector<std::map<std::string, std::string>> rows;  // by column; nulls are absent
  std::vector<content_hash> hashes;
  std::vector<std::string> rejected;  // "reason|detail|id|raw|truncated|stored_anyway"
  std::vector<std::size_t> batches;   // elements of each
  std::int64_t elements = 0;
  bool operator==(const everything&) const = default;
};

void add(everything& all, transaction_batch batch) {
  batch.hash_content(some_key());
  for (const transaction& t : batch.transactions) {
    auto& row = all.rows.emplace_back();
    for (std::size_t c = 0; c < column_count; ++c) {
      if (t.values[c].data() == nullptr) continue;
      row[std::string{name_of(static_cast<column>(c))}] = std::string{t.values[c]};
    }
    all.hashes.push_back(t.hash);
  }
  for (const rejected_record& r : batch.rejected) {
    all.rejected.push_back(r.reason + "|" + r.detail + "|" + r.id + "|" + r.raw + "|" +
                           (r.truncated ? "cut" : "whole") + (r.stored_anyway ? "|stored" : ""));
  }
  all.batches.push_back(static_cast<std::size_t>(batch.elements()));
}

everything parse_pieces(const std::vector<std::string_view>& pieces, parse_limits limits = {}) {
  everything all;
  transaction_parser parser({"POST /data at flanks", {}}, limits);
  const auto drain = [&] {
    while (parser.ready())
      add(all, parser.next());
  };
  for (const std::string_view piece : pieces) {
    // A buffer of its own, gone after the call, as that of a socket is.
    const std::vector<char> buffer(piece.begin(), piece.end());
    parser.feed({buffer.data(), buffer.size()});
    drain();
  }
  parser.finish();
  drain();
  all.elements = parser.elements();
  return all;
}

everything parse(std::string_view body, parse_limits limits = {}) {
  return parse_pieces({body}, limits);
}

// One record with the three fields that must be there, and `more`.
std::string record(std::string_view more = "", std::string_view amount = "1.00") {
  return R"({"_id":"a","operationDate":"2026-01-02","amount":)" + std::string{amount} +
         (more.empty() ? "" : ",") + std::string{more} + "}";
}

std::map<std::string, std::string> row_of(const std::string& one) {
  const everything all = parse("[" + one + "]");
  EXPECT_THAT(all.rejected, ElementsAre()) << one;
  return all.rows.empty() ? std::map<std::string, std::string>{} : all.rows.front();
}

// "reason|detail|id|" of the one record, which must not have become a row.
std::string rejection_of(const std::string& one) {
  // Between two good ones: the rest goes on.
  const everything all = parse("[" + record() + "," + one + "," + record() + "]");
  EXPECT_EQ(all.rows.size(), 2U) << one;
  EXPECT_EQ(all.elements, 3) << one;
  if (all.rejected.size() != 1) return "not rejected";
  EXPECT_THAT(all.rejected.front(), HasSubstr("|" + one + "|whole")) << "raw bytes are kept";
  return all.rejected.front().substr(0, all.rejected.front().find("|" + one));
}

failure failure_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const failure& f) {
    return f;
  }
  return failure{stage::parse, verdict::later, "no failure at all", ""};
}

std::string error_class_of(std::string_view body) {
  return failure_of([&] { parse(body); }).error_class;
}

TEST(parse, example_of_the_contract_becomes_columns) {
  const everything all = parse(example);
  ASSERT_EQ(all.rows.size(), 2U);
  EXPECT_THAT(all.rejected, ElementsAre());
  EXPECT_EQ(all.elements, 2);
  const std::map<std::string, std::string> first{
      {"_id", "65f0a1b2c3d4e5f601234567"},
      {"account_id", "65f0a1b2c3d4e5f6000000aa"},
      {"amount", "-12.34"},
      {"balance", "913.33"},
      {"currency", "EUR"},
      {"operation_date", "2026-10-11"},
      {"value_date", "2026-10-12"},
      {"description", "TRANSFERENCIA A FAVOR DE LUISA"},
      {"product_description", "Cuenta nómina"},
      {"category", "Transfers"},
      {"entity", "testbank"},
      {"transfer", R"({"beneficiary":"Luisa Ejemplo","ibanBeneficiary":"ES9121000418450200051332",)"
                   R"("payer":"Ana Ejemplo","ibanPayer":"ES7921000813610123456789"})"}};
  EXPECT_EQ(all.rows[0], first);
  const std::map<std::string, std::string> second{
      {"_id", "65f0a1b2c3d4e5f601234568"},
      {"account_id", "65f0a1b2c3d4e5f6000000aa"},
      {"amount", "1500.10"},
      {"balance", "2413.43"},
      {"currency", "EUR"},
      {"operation_date", "2026-10-28"},
      {"value_date", "2026-10-28"},
      {"description", "NÓMINA OCTUBRE"},
      {"category", "Salary"},
      {"entity", "testbank"},
      {"extra",
       R"({"operationDate":"2026-10-28T00:00:00","someFieldOfTomorrow":{"k":[1,2.50,"x"]}})"}};
  EXPECT_EQ(all.rows[1], second);
}

// Oddities of every kind, so that a border between chunks falls into each of them.
std::string odd_body() {
  return " [ " +
         record(R"("description":"a\"b\\\u00e9\ud83d\ude00 [{,}] \n","x":{"\"k\\":[[],{}]})") +
         ",\n" + record(R"("shop":"n\u0000l","n\u0000":[-1.50E+2,true,null,"\u0000"])") +
         R"(,{"_id":"b"},5,"s",[1,{"a":2}],null,{"_id":"c","_id":"c"},{"u":"\ud800"})" + "," +
         record("", "\"-0.50\"") + " ] \n";
}

TEST(parse, every_split_gives_the_same) {
  const std::string odd = odd_body();
  for (const std::string_view body : {example, std::string_view{odd}}) {
    const everything whole = parse(body);
    ASSERT_FALSE(whole.rows.empty());
    for (std::size_t at = 0; at <= body.size(); ++at) {
      ASSERT_EQ(parse_pieces({body.substr(0, at), body.substr(at)}), whole) << "split at " << at;
    }
    std::vector<std::string_view> bytes;
    for (std::size_t at = 0; at < body.size(); ++at)
      bytes.push_back(body.substr(at, 1));
    EXPECT_EQ(parse_pieces(bytes), whole) << "byte by byte";
  }
}

TEST(parse, every_prefix_of_a_body_is_refused) {
  const std::string odd = odd_body();
  const std::size_t end = odd.rfind(']');
  for (std::size_t size = 0; size <= end; ++size) {
    const std::string cut = odd.substr(0, size);
    const bool blank = cut.find_first_not_of(" \n") == std::string::npos;
    ASSERT_EQ(error_class_of(cut), blank ? "empty_body" : "truncated") << "after " << size;
  }
}

TEST(parse, top_level_that_is_no_list_is_a_failure_never_no_rows) {
  EXPECT_EQ(parse("[]").elements, 0);
  EXPECT_EQ(parse(" [ \n ] ").elements, 0);
  EXPECT_EQ(error_class_of(""), "empty_body");
  EXPECT_EQ(error_class_of(" \n"), "empty_body");
  EXPECT_EQ(error_class_of(R"({"message":"being processed"})"), "error_object");
  EXPECT_EQ(error_class_of(R"({"error":{"code":"X"}})"), "error_object");
  EXPECT_EQ(error_class_of("{}"), "unexpected_body");
  EXPECT_EQ(error_class_of("null"), "unexpected_body");
  EXPECT_EQ(error_class_of("<html>"), "html");
  EXPECT_EQ(error_class_of("oops"), "invalid_json");
  EXPECT_EQ(error_class_of("{\"message\":\"be"), "truncated");
}

TEST(parse, what_is_not_json_refuses_the_whole_response) {
  for (const std::string bad : {"[,]",
                                "[1,]",
                                "[1,,2]",
                                "[{]}",
                                "[1}",
                                "[{}}",
                                "[}",
                                "[{\"a\":1]]",
                                "[{} {}]",
                                "[{}]]",
                                "[{}]x",
                                "[{}][]",
                                "[{a:1}]",
                                "[{\"a\":01}]",
                                "[{\"a\":1e}]",
                                "[{\"a\":NaN}]",
                                "[{\"a\":'x'}]",
                                "[tru]",
                                "[{\"a\":\"\xC3\x28\"}]",
                                "[{\"a\":\"\xED\xA0\x80\"}]",
                                "[{\"a\":\"\n\"}]",
                                "[{\"a\":\"\\x\"}]",
                                "[{\"a\":\"\\ud800\", b}]",
                                "\xEF\xBB\xBF[]",
                                "[\\]",
                                "[{\"a\":1,}]"}) {
    EXPECT_EQ(error_class_of(bad), "invalid_json") << bad;
    // Also when it comes byte by byte.
    std::vector<std::string_view> bytes;
    for (std::size_t i = 0; i < bad.size(); ++i)
      bytes.push_back(std::string_view{bad}.substr(i, 1));
    EXPECT_EQ(failure_of([&] { parse_pieces(bytes); }).error_class, "invalid_json") << bad;
  }
}

TEST(parse, failure_never_shows_the_body) {
  const failure f = failure_of([] { parse(R"([{"_id":"secret-id","x":bad}])"); });
  EXPECT_THAT(f.what(),
              HasSubstr("POST /data at flanks answered 200 with a body that is not JSON"));
  EXPECT_THAT(f.what(), testing::Not(HasSubstr("secret-id")));
  EXPECT_EQ(f.verdict, verdict::later);
}

TEST(parse, bad_record_is_set_aside_and_the_rest_goes_on) {
  EXPECT_EQ(rejection_of(R"({"operationDate":"2026-01-02","amount":1})"),
            "missing_id|_id is missing or null|");
  EXPECT_EQ(rejection_of(R"({"_id":null,"operationDate":"2026-01-02","amount":1})"),
            "missing_id|_id is missing or null|");
  EXPECT_EQ(rejection_of(R"({"_id":7,"operationDate":"2026-01-02","amount":1})"),
            "id_not_a_string|_id is a number|");
  EXPECT_EQ(rejection_of(R"({"_id":{"a":1},"operationDate":"2026-01-02","amount":1})"),
            "id_not_a_string|_id is not a string|");
  EXPECT_EQ(rejection_of(R"({"_id":"","operationDate":"2026-01-02","amount":1})"),
            "empty_id|_id is empty|");
  EXPECT_EQ(rejection_of(R"({"_id":"a\u0000b","operationDate":"2026-01-02","amount":1})"),
            "nul_in_id|_id holds U+0000|");
  EXPECT_EQ(rejection_of(R"({"_id":")" + std::string(257, 'x') +
                         R"(","operationDate":"2026-01-02","amount":1})"),
            "id_too_long|_id has more than 256 bytes|");
  EXPECT_EQ(rejection_of(R"({"_id":"a","amount":1})"),
            "missing_date|operationDate is missing or null|a");
  EXPECT_EQ(rejection_of(R"({"_id":"a","operationDate":"2026-02-30","amount":1})"),
            "impossible_date|operationDate is not a day that exists|a");
  for (const char* const blank :
       {" ", "\\t\\n", "\\u00a0", "\\u200b", "\\u2003\\u3000", "\\ufeff"}) {
    EXPECT_EQ(rejection_of(R"({"_id":")" + std::string(blank) +
                           R"(","operationDate":"2026-01-02","amount":1})"),
              "blank_id|_id is blank|");
  }
  EXPECT_EQ(rejection_of(R"({"_id":"a","operationDate":"2026-01-02 or so","amount":1})"),
            "impossible_date|operationDate is not a day that exists|a");
  EXPECT_EQ(rejection_of(R"({"_id":"a","operationDate":20260102,"amount":1})"),
            "impossible_date|operationDate is a number, not a day|a");
  EXPECT_EQ(rejection_of(R"({"_id":"a","operationDate":"2026-01-02"})"),
            "missing_amount|amount is missing or null|a");
  EXPECT_EQ(rejection_of(R"({"_id":"a","_id":"b","operationDate":"2026-01-02","amount":1})"),
            "duplicate_key|_id came twice|");
  EXPECT_EQ(rejection_of(record(R"("x":1,"y":2,"x":1)")), "duplicate_key|x came twice|");
  EXPECT_EQ(rejection_of(record(R"("x":{"k":[{"a":1,"a":2}]})")), "duplicate_key|a came twice|");
  EXPECT_EQ(rejection_of(R"({"_id":"a\udc00","operationDate":"2026-01-02","amount":1})"),
            "bad_unicode|the record has an _id that is no text|a\xEF\xBF\xBD");
  EXPECT_EQ(rejection_of(record("", "1e99999999999")),
            "bad_amount|amount is not a finite decimal number of at most 38 digits|a");
  for (const char* const element : {"5", "\"text\"", "true", "null", "[]", "[{\"a\":1}]"}) {
    EXPECT_THAT(rejection_of(element), testing::StartsWith("not_an_object|")) << element;
  }
}

// What is told of the one record, which is stored all the same, and what it has in `extra`.
std::string warning_of(const std::string& one, std::string_view column, std::string& extra) {
  const everything all = parse("[" + one + "]");
  if (all.rows.size() != 1) return "not stored";
  EXPECT_EQ(all.rows.front().count(std::string{column}), 0U) << one;
  extra = all.rows.front().count("extra") > 0 ? all.rows.front().at("extra") : "";
  if (all.rejected.empty()) return "";
  EXPECT_THAT(all.rejected.front(), testing::EndsWith("|a|" + one + "|whole|stored"));
  return all.rejected.front().substr(0, all.rejected.front().find("|a|"));
}

TEST(parse, junk_in_an_optional_field_is_null_there_kept_in_extra_and_told) {
  struct junk {
    const char* field;
    std::string value;
    const char* column;
    const char* what;
  };
  const std::string no_day = "is not a day that exists";
  const std::string no_number = "is not a finite decimal number of at most 38 digits";
  const std::string long_one = '"' + std::string(257, 'x') + '"';
  for (const junk& j : std::vector<junk>{
           {"valueDate", "\"2026-02-30\"", "value_date", "is not a day that exists"},
           {"valueDate", "\"0000-00-00\"", "value_date", "is not a day that exists"},
           {"valueDate", "\"31/01/2026\"", "value_date", "is not a day that exists"},
           {"valueDate", "20260131", "value_date", "is a number, not a day"},
           {"valueDate", "{\"d\":1}", "value_date", "is not a day"},
           {"balance", "\"N/A\"", "balance", no_number.c_str()},
           {"balance", "1e400", "balance", no_number.c_str()},
           {"balance", "{\"amount\":1,\"currency\":\"EUR\"}", "balance", "is not a number"},
           {"balance", "true", "balance", "is not a number"},
           {"account_id", long_one, "account_id",
            "has more than 256 bytes, or repeats a secret of ours"}}) {
    std::string extra;
    const std::string one = record('"' + std::string(j.field) + "\":" + j.value);
    EXPECT_EQ(warning_of(one, j.column, extra), "bad_value|" + std::string(j.field) + " " + j.what);
    // jsonb has no place for 1e400.
    const std::string kept = j.value == "1e400" ? "1e400" : j.value;
    EXPECT_EQ(extra, "{\"" + std::string(j.field) + "\":" + kept + "}") << one;
  }
  // What is blank says that there is none.
  for (const char* const field : {"valueDate", "balance", "account_id", "portfolio_id"}) {
    for (const char* const blank : {"\"\"", "\" \""}) {
      std::string extra;
      const std::string one = record('"' + std::string(field) + "\":" + blank);
      EXPECT_EQ(warning_of(one, field == std::string("valueDate") ? "value_date" : field, extra),
                "");
      EXPECT_EQ(extra, "{\"" + std::string(field) + "\":" + blank + "}");
    }
  }
}

TEST(parse, text_that_no_column_can_hold_is_replaced_and_told) {
  std::string extra;
  EXPECT_EQ(warning_of(record(R"("x":1e5000)"), "x", extra),
            "bad_number|x holds a number that no database column can, kept as text");
  EXPECT_EQ(extra, R"({"x":"1e5000"})");
  EXPECT_EQ(warning_of(record(R"("x":[1e5000])"), "x", extra),
            "bad_number|x holds a number that no database column can, kept as text");
  EXPECT_EQ(extra, R"({"x":["1e5000"]})");
  EXPECT_EQ(warning_of(record(R"("x":-1e99999999999,"y":"1e99999999999")"), "x", extra),
            "bad_number|a number with a huge exponent was kept as text");
  EXPECT_EQ(extra, R"({"x":"-1e99999999999","y":"1e99999999999"})");
  EXPECT_EQ(warning_of(record(R"("x":"\udc00","y":"\ud83d\ude00")"), "x", extra),
            "bad_unicode|half a surrogate pair was stored as U+FFFD");
  EXPECT_EQ(extra, "{\"x\":\"\xEF\xBF\xBD\",\"y\":\"\xF0\x9F\x98\x80\"}");
  EXPECT_EQ(warning_of(record(R"("x":"\u0000","valueDate":"x")"), "x", extra),
            "nul_character|U+0000 was stored as U+FFFD; valueDate is not a day that exists");
}

TEST(parse, a_list_in_which_nothing_is_an_object_is_an_error) {
  for (const char* const body : {"[1]", "[[]]", "[[{}]]", "[null,null]", "[\"x\",[1,2]]"})
    EXPECT_EQ(error_class_of(body), "unexpected_body") << body;
  EXPECT_EQ(parse("[1," + record() + "]").rejected.size(), 1U) << "one is";
}

// Secrets of ours, as the provider may repeat them.
class echoed : public testing::Test {
 protected:
  everything parse_echo(const std::string& one) {
    transaction_parser parser({"POST /data at flanks", {&token_, &key_, &brief_}}, {});
    parser.feed("[" + one + "]");
    parser.finish();
    everything all;
    while (parser.ready())
      add(all, parser.next());
    return all;
  }
  secret token_{"ct-1234567890/abcdef"}, key_{"client-secret-ñ-42"}, brief_{"tok-1"};
};

TEST_F(echoed, is_masked_in_columns_extra_and_nested_however_it_is_written) {
  for (const char* const spelling :
       {"ct-1234567890/abcdef", "ct-1234567890\\/abcdef", "\\u0063t-1234567890/abcdef"}) {
    const std::string t = spelling;
    const auto all = parse_echo(record(
        R"("connection_id":")" + t + R"(","shop":")" + t + R"(","n":{"k":[1,")" + t + R"("],")" +
        t + R"(":2},"transfer":{"payer":")" + t + R"("},"description":"of )" + t + R"(!")"));
    ASSERT_EQ(all.rows.size(), 1U) << t;
    const auto& row = all.rows.front();
    EXPECT_EQ(row.at("extra"), R"({"connection_id":"***","n":{"k":[1,"***"],"***":2}})") << t;
    EXPECT_EQ(row.at("shop"), "***");
    EXPECT_EQ(row.at("transfer"), R"({"payer":"***"})");
    EXPECT_EQ(row.at("description"), "of ***!");
  }
}

TEST_F(echoed, short_secrets_are_masked_as_whole_values_only) {
  const auto all =
      parse_echo(record(R"("shop":"tok-1","category":"tok-10","x":"client-secret-ñ-42")"));
  EXPECT_EQ(all.rows.at(0).at("shop"), "***");
  EXPECT_EQ(all.rows.at(0).at("category"), "tok-10");
  EXPECT_EQ(all.rows.at(0).at("extra"), R"({"x":"***"})");
}

TEST_F(echoed, is_no_identification_and_stands_in_no_raw_bytes) {
  const auto all =
      parse_echo(R"({"_id":"ct-1234567890/abcdef","operationDate":"2026-01-02","amount":1})");
  ASSERT_EQ(all.rejected.size(), 1U);
  EXPECT_EQ(
      all.rejected.front(),
      R"(secret_in_id|_id repeats a secret of ours||{"_id":"***","operationDate":"2026-01-02","amount":1}|whole)");
  const auto hidden = parse_echo(record(R"("x":"\u0063t-1234567890/abcdef","balance":"N/A")"));
  EXPECT_THAT(hidden.rejected.at(0), HasSubstr("(not kept: the record repeats a secret"));
  const auto reference = parse_echo(record(R"("account_id":"ct-1234567890/abcdef")"));
  EXPECT_EQ(reference.rows.at(0).count("account_id"), 0U);
  EXPECT_EQ(reference.rows.at(0).at("extra"), R"({"account_id":"***"})");
}

TEST_F(echoed, is_found_wherever_pieces_of_the_body_end) {
  const std::string body = "[" + record(R"("x":"ct-1234567890/abcdef")") + "]";
  for (std::size_t cut = 1; cut < body.size(); ++cut) {
    transaction_parser parser({"POST /data at flanks", {&token_}}, {});
    parser.feed(std::string_view{body}.substr(0, cut));
    parser.feed(std::string_view{body}.substr(cut));
    parser.finish();
    ASSERT_EQ(parser.next().transactions.at(0)[column::extra], R"({"x":"***"})") << cut;
  }
}

TEST(parse, amount_that_is_no_finite_decimal_of_38_digits_is_set_aside) {
  for (const char* const amount :
       {"\"NaN\"", "\"Infinity\"", "\"0x10\"", "\"12,34\"", "\"\"", "\" 1\"", "\"1_000\"", "1e400",
        "1e-39", "123456789012345678901234567890123456789", "true", "{}", "[]"}) {
    EXPECT_THAT(rejection_of(record("", amount)), testing::StartsWith("bad_amount|")) << amount;
  }
}

TEST(parse, amount_keeps_its_digits_and_its_value) {
  const std::map<std::string, std::string> cases{
      {"1.00", "1.00"},
      {"\"2.50\"", "2.50"},
      {"1E+2", "100"},
      {"1e-7", "0.0000001"},
      {"-0", "0"},
      {"0.123456789012345678", "0.123456789012345678"},
      {"12345678901234567890123456789012345678", "12345678901234567890123456789012345678"},
      {"9007199254740993", "9007199254740993"},
      {"18446744073709551616", "18446744073709551616"}};
  for (const auto& [sent, stored] : cases) {
    EXPECT_EQ(row_of(record("", sent))["amount"], stored) << sent;
    EXPECT_EQ(row_of(record("\"balance\":" + sent))["balance"], stored) << sent;
  }
}

TEST(parse, nothing_is_lost_that_has_no_column) {
  EXPECT_EQ(
      row_of(record(R"("z":null,"a":[1E+2,-0.0,"é\n\u001f"],"m":{"b":2,"a":1},"e":"")"))["extra"],
      R"({"z":null,"a":[1E+2,-0.0,"é\u000a\u001f"],"m":{"b":2,"a":1},"e":""})");
  EXPECT_EQ(row_of(record()).count("extra"), 0U);
  // A field whose column cannot hold what came.
  const auto odd = row_of(record(R"("shop":{"n":1},"category":true,"entity":[1],"transfer":"t")"));
  EXPECT_EQ(odd.at("extra"), R"({"shop":{"n":1},"category":true,"entity":[1],"transfer":"t"})");
  for (const char* const c : {"shop", "category", "entity", "transfer"})
    EXPECT_EQ(odd.count(c), 0U);
  // A number in a text column is its digits.
  EXPECT_EQ(row_of(record(R"("cardNumber":1234.50)")).at("card_number"), "1234.50");
  EXPECT_EQ(row_of(record(R"("transfer":{"a":{"b":[2.50]},"c":null})")).at("transfer"),
            R"({"a":{"b":[2.50]},"c":null})");
}

TEST(parse, day_is_the_date_part_and_the_time_stays_in_extra) {
  const auto row = row_of(
      R"({"_id":"a","operationDate":"2026-01-31T23:59:59.999-05:00","valueDate":"2026-02-01 00:00","amount":1})");
  EXPECT_EQ(row.at("operation_date"), "2026-01-31");
  EXPECT_EQ(row.at("value_date"), "2026-02-01");
  EXPECT_EQ(row.at("extra"),
            R"({"operationDate":"2026-01-31T23:59:59.999-05:00","valueDate":"2026-02-01 00:00"})");
}

TEST(parse, empty_value_date_and_balance_mean_none) {
  const auto row = row_of(record(R"("valueDate":"","balance":"")"));
  EXPECT_EQ(row.count("value_date"), 0U);
  EXPECT_EQ(row.count("balance"), 0U);
  EXPECT_EQ(row.at("extra"), R"({"valueDate":"","balance":""})");
}

TEST(parse, empty_text_is_not_null) {
  const auto row = row_of(record(R"("description":"","shop":null)"));
  EXPECT_EQ(row.at("description"), "");
  EXPECT_EQ(row.count("shop"), 0U);
}

TEST(parse, nul_character_is_replaced_and_the_row_kept_with_a_warning) {
  const std::string one =
      record(R"("shop":"a\u0000b","transfer":{"p\u0000":"\u0000"},"x":["\u0000"])");
  const everything all = parse("[" + one + "]");
  ASSERT_EQ(all.rows.size(), 1U);
  EXPECT_EQ(all.elements, 1);
  EXPECT_EQ(all.rows[0].at("shop"),
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(all.rows[0].at("transfer"), "{\"p\xEF\xBF\xBD\":\"\xEF\xBF\xBD\"}");
  EXPECT_EQ(all.rows[0].at("extra"), "{\"x\":[\"\xEF\xBF\xBD\"]}");
  EXPECT_THAT(all.rejected,
              ElementsAre("nul_character|U+0000 was stored as U+FFFD|a|" + one + "|whole|stored"));
}

TEST(parse, too_deep_and_too_long_records_are_set_aside) {
  const auto nested = [](std::size_t depth) {
    return record("\"x\":" + std::string(depth, '[') + std::string(depth, ']'));
  };
  EXPECT_EQ(row_of(nested(31)).count("extra"), 1U);
  EXPECT_THAT(rejection_of(nested(32)), testing::StartsWith("too_deep|"));
  EXPECT_THAT(rejection_of(nested(5000)), testing::StartsWith("too_deep|"));

  parse_limits limits;
  limits.record_bytes = 100'000;
  const std::string longest = record("\"x\":\"" + std::string(100'000, '[') + "\"");
  const everything all =
      parse_pieces({"[" + record() + ",", std::string_view{longest}.substr(0, 70'000),
                    std::string_view{longest}.substr(70'000), "," + record() + "]"},
                   limits);
  EXPECT_EQ(all.rows.size(), 2U);
  EXPECT_EQ(all.elements, 3);
  EXPECT_THAT(all.rejected, ElementsAre("too_long|the record is too long||" +
                                        longest.substr(0, rejected_record::raw_limit) + "|cut"));
  EXPECT_EQ(parse("[" + longest + "]", limits).rejected, all.rejected) << "also in one piece";
}

TEST(parse, equal_content_has_an_equal_hash_whatever_the_notation) {
  const everything a = parse("[" + record("", "100") + "," + record("", "1E+2") + "]");
  EXPECT_EQ(a.hashes[0], a.hashes[1]);
  const everything b = parse("[" + record("", "100") + "," + record("", "100.0") + "]");
  EXPECT_NE(b.hashes[0], b.hashes[1]);
  const everything c = parse("[" + record(R"("shop":"")") + "," + record(R"("shop":null)") + "]");
  EXPECT_NE(c.hashes[0], c.hashes[1]);
}

TEST(parse, batches_are_full_in_records_or_bytes_and_the_last_waits_for_the_end) {
  parse_limits limits;
  limits.batch_records = 3;
  std::string body = "[" + record();
  for (int i = 0; i < 7; ++i)
    body += "," + record();
  EXPECT_THAT(parse(body + "]", limits).batches, ElementsAre(3U, 3U, 2U));
  limits = {};
  limits.batch_bytes = 3 * record().size();
  EXPECT_THAT(parse(body + "]", limits).batches, ElementsAre(3U, 3U, 2U));

  transaction_parser parser({"", {}}, {});
  parser.feed(body + "]");
  EXPECT_FALSE(parser.ready()) << "a body that fits a batch can be asked for again until its end";
  parser.finish();
  EXPECT_TRUE(parser.ready());
}

}  // namespace
}  // namespace flanks
