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
    expected.push_back(fmt::format("{}|{}|{}|{}", k.name, to_string(k.who), k.meaning, k.hint));
  EXPECT_THAT(rows("select error_class, who_must_act, meaning, hint from flanks.error_classes"),
              ::testing::UnorderedElementsAreArray(expected));
}

// What is wrong without an error has a class as well.
TEST_F(error_class_table, names_what_waits_for_somebody) {
  add("ana", "t");
  const auto told = [&](std::string_view set) {
    sql(
        fmt::format("update flanks.credentials set state = 'ok', provider_updated_at = now(), "
                    "provider_refresh_seen_at = now(), last_error = null, last_error_class = null, "
                    "sca_required = null, reset_required = null, paused = false"));
    sql(fmt::format("update flanks.credentials set {}", set));
    return value("select concat_ws('|', error_class, who_must_act) from flanks.sync_status");
  };
  EXPECT_EQ(told("state = 'ok'"), "nobody");
  EXPECT_EQ(told("state = 'blocked'"), "blocked|end_user");
  EXPECT_EQ(told("state = 'action_required'"), "action_required|end_user");
  EXPECT_EQ(told("state = 'action_required', sca_required = true"), "sca_required|end_user");
  EXPECT_EQ(told("state = 'action_required', sca_required = true, reset_required = true"),
            "reset_required|end_user");
  EXPECT_EQ(told("state = 'gone', last_error = 'x', last_error_class = 'not_found'"),
            "gone|operator");
  EXPECT_EQ(told("state = 'pending'"), "provider_pending|provider");
  EXPECT_EQ(told("provider_updated_at = now() - interval '9 days'"), "stale|provider");
  EXPECT_EQ(told("last_error = 'x', last_error_class = 'http_503'"), "http_503|provider");
  EXPECT_EQ(told("paused = true"), "operator");
  EXPECT_EQ(value("select count(*) from flanks.error_classes where hint = ''"), "0");
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
  EXPECT_EQ(value("select error_class from flanks.sync_status"), "http_599");
  EXPECT_EQ(who("not_in_the_table", 2), "nobody");
  EXPECT_EQ(who("not_in_the_table", 3), "operator");
  sql("update flanks.credentials set last_error_class = null");
  EXPECT_EQ(value("select who_must_act from flanks.sync_status"), "operator");
}

}  // namespace flanks::testing
