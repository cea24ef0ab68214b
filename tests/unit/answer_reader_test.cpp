// An answer that is expected is recognised by its bytes, in whatever pieces they come, and read in
// every other case.
#include "sync/flanks/answer_reader.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace flanks {
namespace {

const call_info data_call{"POST /v0/bank/credentials/data", {}};
constexpr std::string_view asked = "account 2026-05-01 2026-05-31";
const std::string two = R"([{"_id": "a", "operationDate": "2026-05-02", "amount": 1},)"
                        R"( {"_id": "b", "operationDate": "2026-05-03", "amount": 2}])";

struct outcome_of_reading {
  std::vector<std::string> ids;
  response_summary summary;
};
outcome_of_reading read(const std::string& body, std::size_t piece,
                        std::optional<known_answer> expected, std::string_view question = asked) {
  answer_reader reader(data_call, question, 5, expected);
  for (std::size_t at = 0; at < body.size(); at += piece)
    reader.feed(std::string_view(body).substr(at, piece));
  reader.finish();
  outcome_of_reading out;
  while (reader.ready()) {
    const transaction_batch batch = reader.next();
    for (const transaction& t : batch.transactions)
      out.ids.emplace_back(t.id());
  }
  out.summary = reader.summary();
  return out;
}

TEST(answer_reader, reads_what_nobody_expects_and_says_by_what_it_is_recognised) {
  const outcome_of_reading first = read(two, 7, std::nullopt),
                           again = read(two, 1000, std::nullopt);
  EXPECT_EQ(first.ids, (std::vector<std::string>{"a", "b"}));
  EXPECT_FALSE(first.summary.as_expected);
  EXPECT_FALSE(first.summary.not_as_expected);
  EXPECT_EQ(first.summary.elements, 2);
  EXPECT_EQ(first.summary.bytes, static_cast<std::int64_t>(two.size()));
  ASSERT_TRUE(first.summary.answer);
  EXPECT_EQ(first.summary.answer->records, 2);
  EXPECT_EQ(first.summary.answer, again.summary.answer);
}

TEST(answer_reader, recognises_what_is_expected_in_pieces_of_any_size) {
  const auto expected = read(two, 1000, std::nullopt).summary.answer;
  for (std::size_t piece = 1; piece <= two.size() + 1; ++piece) {
    const outcome_of_reading again = read(two, piece, expected);
    EXPECT_TRUE(again.summary.as_expected) << piece;
    EXPECT_FALSE(again.summary.not_as_expected);
    EXPECT_TRUE(again.ids.empty());
    EXPECT_EQ(again.summary.elements, 2);
    EXPECT_EQ(again.summary.bytes, static_cast<std::int64_t>(two.size()));
    EXPECT_EQ(again.summary.answer, expected);
  }
}

TEST(answer_reader, reads_every_answer_that_differs_in_a_byte) {
  const auto expected = read(two, 1000, std::nullopt).summary.answer;
  const std::vector<std::string> both{"a", "b"};
  std::string other_amount = two, longer = two + " ";
  other_amount[other_amount.find("\"amount\": 2") + 10] = '3';
  const std::string shorter = R"([{"_id": "a", "operationDate": "2026-05-02", "amount": 1}])";
  for (std::size_t piece : {1, 10, 1000}) {
    EXPECT_EQ(read(other_amount, piece, expected).ids, both);
    EXPECT_EQ(read(longer, piece, expected).ids, both);
    EXPECT_EQ(read(shorter, piece, expected).ids, std::vector<std::string>{"a"});
    const outcome_of_reading read_again = read(other_amount, piece, expected);
    EXPECT_FALSE(read_again.summary.as_expected);
    EXPECT_TRUE(read_again.summary.not_as_expected);
    EXPECT_NE(read_again.summary.answer, expected);
    EXPECT_EQ(read_again.summary.elements, 2);
  }
}

TEST(answer_reader, reads_the_same_answer_to_another_question) {
  const auto expected = read(two, 1000, std::nullopt).summary.answer;
  const outcome_of_reading other = read(two, 1000, expected, "account 2026-05-01 2026-06-30");
  EXPECT_FALSE(other.summary.as_expected);
  EXPECT_FALSE(other.summary.not_as_expected);
  EXPECT_EQ(other.ids.size(), 2U);
}

TEST(answer_reader, an_expected_answer_that_breaks_off_is_no_answer) {
  const auto expected = read(two, 1000, std::nullopt).summary.answer;
  answer_reader reader(data_call, asked, 5, expected);
  reader.feed(std::string_view(two).substr(0, two.size() - 1));
  EXPECT_THROW(reader.finish(), failure);
}

TEST(answer_reader, a_large_answer_is_read_and_never_recognised) {
  std::string large = "[";
  while (static_cast<std::int64_t>(large.size()) <= recognised_at_most)
    large += R"({"_id": "a", "operationDate": "2026-05-02", "amount": 1},)";
  large.back() = ']';
  const outcome_of_reading first = read(large, 4096, std::nullopt);
  EXPECT_FALSE(first.summary.answer);
  EXPECT_GT(first.ids.size(), 1000U);
}

}  // namespace
}  // namespace flanks
