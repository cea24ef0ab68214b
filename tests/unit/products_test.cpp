// The body of a list of products -> records: what a reader of flanks.accounts, cards, ... sees.
#include "sync/flanks/products.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace flanks {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

product_batch read(const product_list& list, const std::string& body) {
  answer a;
  a.status = 200;
  a.body = body;
  a.body_bytes = static_cast<std::int64_t>(body.size());
  return read_products(a, {"POST /list at flanks", {}}, list);
}

product_batch accounts(const std::string& body) {
  return read({product_kind::account}, body);
}

// Its columns, without the nulls.
std::map<std::string, std::string> row(const product_list& list, const product_record& record) {
  std::map<std::string, std::string> out;
  for (std::size_t i = 0; i < record.values.size(); ++i)
    if (record.values[i]) out[std::string{list.columns()[i].name}] = *record.values[i];
  return out;
}

std::map<std::string, std::string> only(product_kind kind, const std::string& record) {
  const product_batch batch = read({kind}, "[" + record + "]");
  EXPECT_THAT(batch.rejected, IsEmpty()) << batch.rejected.at(0).detail;
  return batch.records.size() == 1 ? row({kind}, batch.records[0])
                                   : std::map<std::string, std::string>{};
}

std::string rejection(product_kind kind, const std::string& record) {
  const product_batch batch = read({kind}, "[" + record + "]");
  if (batch.rejected.size() != 1 || !batch.records.empty()) return "not rejected";
  EXPECT_EQ(batch.rejected[0].raw, record);
  return batch.rejected[0].reason + " " + batch.rejected[0].id;
}

std::string failure_class(product_kind kind, const std::string& body) {
  try {
    (void)read({kind}, body);
    return "none";
  } catch (const failure& f) {
    return f.error_class;
  }
}

using fields = std::map<std::string, std::string>;

TEST(products, example_of_the_contract) {
  const fields account = only(
      product_kind::account,
      R"({"_id": "65f0a1b2c3d4e5f6000000aa", "iban": "ES7921000813610123456789", "entity": "testbank", "alias": "Nómina",
  "balance": 2413.43, "currency": "EUR", "description": "Cuenta nómina", "isOwner": true, "numOwners": 2,
  "owners": ["Ana Ejemplo", "Luisa Ejemplo"], "type": 100, "updated_at_timestamp": 1795234320})");
  EXPECT_EQ(account, (fields{{"account_id", "65f0a1b2c3d4e5f6000000aa"},
                             {"iban", "ES7921000813610123456789"},
                             {"entity", "testbank"},
                             {"alias", "Nómina"},
                             {"balance", "2413.43"},
                             {"currency", "EUR"},
                             {"description", "Cuenta nómina"},
                             {"is_owner", "true"},
                             {"num_owners", "2"},
                             {"owners", R"(["Ana Ejemplo","Luisa Ejemplo"])"},
                             {"type", "100"},
                             {"provider_updated_at", "2026-11-21T04:12:00Z"}}));
}

TEST(products, the_lists_own_id_counts_and_another_id_is_not_lost) {
  EXPECT_EQ(only(product_kind::card, R"({"card_id":"c","_id":"c","limit":"1500.00"})"),
            (fields{{"card_id", "c"}, {"credit_limit", "1500.00"}}));
  EXPECT_EQ(only(product_kind::card, R"({"card_id":"c","_id":"x\"y"})"),
            (fields{{"card_id", "c"}, {"extra", R"({"_id":"x\"y"})"}}));
  EXPECT_EQ(only(product_kind::card, R"({"_id":"x","card_id":null})"), (fields{{"card_id", "x"}}));
  EXPECT_EQ(only(product_kind::portfolio, R"({"portfolio_id":7})"),
            (fields{{"portfolio_id", "7"}}));
}

TEST(products, money_keeps_its_digits_in_every_notation) {
  EXPECT_EQ(only(product_kind::liability,
                 R"({"_id":"l","balance":-123456789012345678.123456789012345678,
                     "availableBalance":"0.00","limit":1.5E+5})"),
            (fields{{"liability_id", "l"},
                    {"balance", "-123456789012345678.123456789012345678"},
                    {"available_balance", "0.00"},
                    {"credit_limit", "150000"}}));
}

TEST(products, what_has_no_column_or_does_not_fit_it_is_kept_in_extra) {
  EXPECT_EQ(
      only(product_kind::account,
           R"({"_id":"a","isOwner":"yes","numOwners":2.5,"owners":"Ana","type":{"a":1},"balance":"",
               "updated_at_timestamp":"soon","new":{"k":[1,2.50,"x"]},"none":null,"alias":null,"extra":1,
               "account id":1.10,"is_owner":true})"),
      (fields{{"account_id", "a"},
              {"extra",
               R"({"isOwner":"yes","numOwners":2.5,"owners":"Ana","type":{"a":1},"balance":"",)"
               R"("updated_at_timestamp":"soon","new":{"k":[1,2.50,"x"]},"none":null,"extra":1,)"
               R"("account id":1.10,"is_owner":true})"}}));
}

TEST(products, moments_in_seconds_and_in_milliseconds) {
  const auto moment = [](const std::string& digits) {
    return only(product_kind::account,
                R"({"_id":"a","updated_at_timestamp":)" + digits + "}")["provider_updated_at"];
  };
  EXPECT_EQ(moment("1795234320"), "2026-11-21T04:12:00Z");
  EXPECT_EQ(moment("1795234320007"), "2026-11-21T04:12:00.007Z");
  EXPECT_EQ(moment("-1"), "");
  EXPECT_EQ(moment("99999999999999999"), "");
}

TEST(products, holders_are_told_apart_by_document_then_name_and_by_relation) {
  EXPECT_EQ(only(product_kind::holder,
                 R"({"product_id":"p","rel":"Titular","name":"Ana","document":"0T","_id":"z"})"),
            (fields{{"holder_id", R"(["p","Titular","document","0T"])"},
                    {"product_id", "p"},
                    {"rel", "Titular"},
                    {"name", "Ana"},
                    {"document", "0T"},
                    {"extra", R"({"_id":"z"})"}}));
  const product_batch two = read(
      {product_kind::holder},
      R"([{"product_id":"p","rel":"Titular","name":"Ana"},{"product_id":"p","rel":"Autorizado","name":"Ana"},
          {"product_id":"q","rel":"Titular","name":"Ana"},{"product_id":"p","rel":"Titular","name":"Ana"}])");
  EXPECT_EQ(two.records.size(), 3U);
  EXPECT_EQ(two.duplicates, 1);
  EXPECT_EQ(two.elements(), 4);
  EXPECT_EQ(rejection(product_kind::holder, R"({"product_id":"p","rel":"Titular","name":""})"),
            "missing_holder ");
}

TEST(products, identity_is_one_object_or_a_list) {
  const std::string one =
      R"({"_id":"i","name":"Ana","contactInfo":{"email":"a@b.c"},"address":"C/ 1"})";
  const fields expected{{"identity_id", "i"},
                        {"name", "Ana"},
                        {"contact_info", R"({"email":"a@b.c"})"},
                        {"address", "C/ 1"}};
  EXPECT_EQ(only(product_kind::identity, one), expected);
  const product_batch batch = read({product_kind::identity}, " " + one + "\n");
  ASSERT_EQ(batch.records.size(), 1U);
  EXPECT_EQ(row({product_kind::identity}, batch.records[0]), expected);
  EXPECT_EQ(only(product_kind::identity, R"({"_id":"i","address":{"street":"C/ 1"}})"),
            (fields{{"identity_id", "i"}, {"extra", R"({"address":{"street":"C/ 1"}})"}}));
}

TEST(products, banks_are_read_the_same_way) {
  const product_batch banks =
      read({}, R"([{"id":"bbva","name":"BBVA","country":"ES"},{"id":"x","name":null}])");
  ASSERT_EQ(banks.records.size(), 2U);
  EXPECT_EQ(row({}, banks.records[0]),
            (fields{{"entity_id", "bbva"}, {"name", "BBVA"}, {"extra", R"({"country":"ES"})"}}));
}

TEST(products, an_error_is_never_none) {
  for (const product_kind kind : {product_kind::account, product_kind::identity}) {
    EXPECT_EQ(failure_class(kind, R"({"message": "credentials are being processed"})"),
              "error_object");
    EXPECT_EQ(failure_class(kind, R"({"success":false,"error":{"code":"E"},"trace_id":"t"})"),
              "error_object");
    EXPECT_EQ(failure_class(kind, "{}"), "unexpected_body");
    EXPECT_EQ(failure_class(kind, "<html></html>"), "html");
    EXPECT_EQ(failure_class(kind, ""), "empty_body");
    EXPECT_EQ(failure_class(kind, "null"), "unexpected_body");
    EXPECT_EQ(failure_class(kind, R"([{"_id":"a"})"), "truncated");
    EXPECT_EQ(failure_class(kind, R"([{"_id":"a"}] [])"), "invalid_json");
    EXPECT_EQ(failure_class(kind, R"([{"_id":"a"},])"), "invalid_json");
    EXPECT_EQ(failure_class(kind, "[{\"_id\":\"\xff\"}]"), "invalid_json");
    EXPECT_EQ(failure_class(kind, "[]"), "none");
    EXPECT_EQ(failure_class(kind, " [ ] "), "none");
  }
  EXPECT_EQ(failure_class(product_kind::account, R"({"_id":"a"})"), "unexpected_body");
  EXPECT_EQ(failure_class(product_kind::identity, R"({"_id":"a")"), "invalid_json");
}

TEST(products, bad_records_are_set_aside_with_their_bytes) {
  const auto bad = [](const std::string& record) {
    return rejection(product_kind::account, record);
  };
  EXPECT_EQ(bad(R"({"balance":1})"), "missing_id ");
  EXPECT_EQ(bad(R"({"_id":""})"), "empty_id ");
  EXPECT_EQ(bad(R"({"_id":true})"), "id_not_a_string ");
  EXPECT_EQ(bad(R"({"_id":{"a":1}})"), "id_not_a_string ");
  EXPECT_EQ(bad(R"({"_id":")" + std::string(257, 'x') + R"("})"), "id_too_long ");
  EXPECT_EQ(bad(R"({"_id":" "})"), "blank_id ");
  EXPECT_EQ(bad(R"({"account_id":"\u00a0","_id":"a"})"), "blank_id a");
  EXPECT_EQ(bad(R"({"_id":"a","iban":"x","iban":"y"})"), "duplicate_key ");
  EXPECT_EQ(bad(R"({"_id":"a","x":{"k":1,"k":2}})"), "duplicate_key ");
  EXPECT_EQ(bad(R"({"_id":"a\ud800"})"), "bad_unicode a\xEF\xBF\xBD");
  const product_batch batch = accounts(R"([{"_id":"a"},{"balance":1},{"_id":"b"}])");
  EXPECT_EQ(batch.records.size(), 2U);
  EXPECT_TRUE(batch.incomplete());
  EXPECT_EQ(batch.elements(), 3);
}

TEST(products, junk_in_an_optional_field_is_null_there_kept_in_extra_and_told) {
  struct junk {
    const char* members;
    const char* reason;
    const char* extra;
  };
  for (const junk& j :
       std::vector<junk>{{R"("balance":"NaN")", "bad_value", R"({"balance":"NaN"})"},
                         {R"("balance":"1.234,56")", "bad_value", R"({"balance":"1.234,56"})"},
                         {R"("balance":[1])", "bad_value", R"({"balance":[1]})"},
                         {R"("balance":true)", "bad_value", R"({"balance":true})"},
                         {R"("x":1e9999)", "bad_number", R"({"x":"1e9999"})"},
                         {R"("x":"\ud800")", "bad_unicode", "{\"x\":\"\xEF\xBF\xBD\"}"}}) {
    const product_batch batch = accounts(R"([{"_id":"a",)" + std::string(j.members) + "}]");
    ASSERT_EQ(batch.records.size(), 1U) << j.members;
    EXPECT_EQ(batch.records[0].values.back(), j.extra) << j.members;
    ASSERT_EQ(batch.rejected.size(), 1U) << j.members;
    EXPECT_TRUE(batch.rejected[0].stored_anyway);
    EXPECT_EQ(batch.rejected[0].reason, j.reason);
    EXPECT_FALSE(batch.incomplete());
  }
}

TEST(products, a_list_in_which_nothing_is_an_object_is_an_error) {
  for (const char* const body : {"[1]", "[[]]", R"(["a"])", R"([[{"_id":"a"}]])", "[null]"})
    EXPECT_EQ(failure_class(product_kind::account, body), "unexpected_body") << body;
  EXPECT_EQ(accounts(R"([1,{"_id":"a"}])").rejected.size(), 1U) << "one is";
}

TEST(products, of_one_id_twice_the_later_counts_and_the_earlier_is_kept_aside) {
  const product_batch batch =
      accounts(R"([{"_id":"a","balance":1},{"_id":"a","balance":2},{"_id":"a","balance":2}])");
  ASSERT_EQ(batch.records.size(), 1U);
  EXPECT_EQ(row({product_kind::account}, batch.records[0])["balance"], "2");
  ASSERT_EQ(batch.rejected.size(), 1U);
  EXPECT_EQ(batch.rejected[0].reason, "duplicate_id");
  EXPECT_EQ(batch.rejected[0].raw, R"({"_id":"a","balance":1})");
  EXPECT_EQ(batch.duplicates, 1);
  EXPECT_EQ(batch.elements(), 3);
}

TEST(products, a_nul_is_stored_as_the_replacement_character_with_a_warning) {
  const product_batch batch = accounts(R"([{"_id":"a","alias":"x\u0000y"}])");
  ASSERT_EQ(batch.records.size(), 1U);
  EXPECT_EQ(row({product_kind::account}, batch.records[0])["alias"], "x\xEF\xBF\xBDy");
  ASSERT_EQ(batch.rejected.size(), 1U);
  EXPECT_TRUE(batch.rejected[0].stored_anyway);
  EXPECT_FALSE(batch.incomplete());
}

TEST(products, every_column_of_every_kind_has_a_field) {
  for (const product_kind kind : all_product_kinds) {
    const product_list list{kind};
    EXPECT_EQ(list.columns().back().name, "extra");
    EXPECT_FALSE(products_endpoint(kind).empty());
    EXPECT_EQ(column_of(list, "extra"), std::nullopt);
  }
  EXPECT_EQ(column_of({product_kind::card}, "limit"), 7U);
  EXPECT_EQ(column_of({product_kind::account}, "limit"), std::nullopt);
}

}  // namespace
}  // namespace flanks
