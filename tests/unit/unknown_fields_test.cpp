// Which fields operators are told of: new ones, by name and type, and never more than a few.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sync/flanks/parse.hpp"

namespace flanks {
namespace {

using testing::UnorderedElementsAre;

std::vector<std::string> unknown_in(const std::string& body, std::size_t batch_records = 2048) {
  parse_limits limits;
  limits.batch_records = batch_records;
  transaction_parser parser({"POST /data at flanks", {}}, limits);
  parser.feed(body);
  parser.finish();
  std::vector<std::string> found;
  while (parser.ready()) {
    for (const unknown_record_field& f : parser.next().unknown)
      found.push_back(f.path + " " + std::string(f.json_type) + " " + std::to_string(f.count));
  }
  return found;
}

const std::string good = R"("_id": "x", "amount": 1, "operationDate": "2026-10-10")";

TEST(unknown_fields, every_type_is_told_apart_and_counted) {
  EXPECT_THAT(unknown_in("[{" + good +
                         R"(, "a": "s", "b": 1.5, "c": true, "d": null, "e": {"f": 1}, "g": [{}]},)"
                         "{" +
                         good +
                         R"(, "a": 2, "b": -1})"
                         "]"),
              UnorderedElementsAre("a string 1", "a number 1", "b number 2", "c boolean 1",
                                   "d null 1", "e object 1", "g array 1"));
}

TEST(unknown_fields, what_has_a_column_is_not_unknown_whatever_it_holds) {
  EXPECT_THAT(
      unknown_in("[{" + good +
                 R"(, "shop": null, "category": {"a": {"b": 1}}, "entity": [1],)"
                 R"("valueDate": "", "transfer": "none", "balance": "", "cardNumber": true}])"),
      UnorderedElementsAre());
  EXPECT_THAT(unknown_in(R"([{"_id": "x", "amount": 1, "operationDate": "2026-10-10T10:00:00"}])"),
              UnorderedElementsAre());
}

TEST(unknown_fields, each_batch_tells_of_its_own_records) {
  const std::string record = "{" + good + R"(, "a": 1})";
  EXPECT_THAT(unknown_in("[" + record + "," + record + "," + record + "]", 2),
              testing::ElementsAre("a number 2", "a number 1"));
}

TEST(unknown_fields, names_that_are_made_up_do_not_pile_up) {
  std::string body = "[";
  for (int i = 0; i < 500; ++i)
    body += "{" + good + ", \"made_up_" + std::to_string(i) + "\": 1},";
  body += "{" + good + ", \"" + std::string(300, 'x') + "\": 1}]";
  EXPECT_EQ(unknown_in(body).size(), 64U);
}

}  // namespace
}  // namespace flanks
