// flanks.error_classes has the rows of sync/error_class.cpp, and sync_status says whose turn it is
// by them.
#include "sync/error_class.hpp"

#include <fmt/format.h>

#include "tests/pg/pg_fixture.hpp"

namespace flanks::testing {

class error_class_table : public database_test {};

TEST_F(error_class_table, is_the_one_of_the_program) {
  std::vector<std::string> expected;
  for (const error_class_info& k : error_classes())
    expected.push_back(fmt::format("{}|{}|{}", k.name, to_string(k.who), k.meaning));
  EXPECT_THAT(rows("select error_class, who_must_act, meaning from flanks.error_classes"),
              ::testing::UnorderedElementsAreArray(expected));
}

TEST_F(error_class_table, decides_who_must_act) {
  add("ana", "t");
  const auto who = [&](std::string_view name, int failures) {
    sql(fmt::format("update flanks.credentials set state = 'error', last_error_class = '{}'",
                    name));
    sql(fmt::format("update flanks_internal.schedule set failures_in_a_row = {}", failures));
    return value("select who_must_act from flanks.sync_status");
  };
  for (const error_class_info& k : error_classes()) {
    EXPECT_EQ(who(k.name, 2), to_string(k.who)) << k.name;
    EXPECT_EQ(who(k.name, 3), k.who == whose_turn::nobody ? "operator" : to_string(k.who))
        << k.name;
  }
  for (const std::string_view name : {"http_202", "http_418", "http_503", "http_599"}) {
    ASSERT_NE(find_error_class(name), nullptr);
    EXPECT_EQ(who(name, 1), to_string(find_error_class(name)->who)) << name;
  }
  EXPECT_EQ(who("not_in_the_table", 2), "nobody");
  EXPECT_EQ(who("not_in_the_table", 3), "operator");
  sql("update flanks.credentials set last_error_class = null");
  EXPECT_EQ(value("select who_must_act from flanks.sync_status"), "operator");
}

}  // namespace flanks::testing
