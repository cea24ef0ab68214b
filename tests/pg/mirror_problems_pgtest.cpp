// What keeps the mirror as a whole from its work: who says so, and when it is over.
#include "db/mirror_problems.hpp"

#include <fmt/format.h>

#include "db/pg/clock.hpp"
#include "sync/failure.hpp"
#include "tests/pg/pg_fixture.hpp"

namespace flanks::testing {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class problems_of_the_mirror : public database_test {
 protected:
  void says(const char* process, mirror_problem which, const std::optional<failure>& what) {
    db_options options = options_;
    options.holder = process;
    pg_connection db(options);
    mirror_problems::note(db, options, which, what);
  }
  std::vector<std::string> told() {
    return rows("select problem, process, who_must_act from flanks.mirror_problems order by 1, 2");
  }
  const failure mistake_{stage::configuration, verdict::stop, "configuration", "line 3 is wrong"};
  const failure refused_{stage::token, verdict::stop, "token_refused", "the keys were refused"};
};

TEST_F(problems_of_the_mirror, a_configuration_is_that_of_one_daemon) {
  says("a:1", mirror_problem::reloading, mistake_);
  says("b:2", mirror_problem::reloading, mistake_);
  says("b:2", mirror_problem::reloading, std::nullopt);
  EXPECT_THAT(told(), ElementsAre("reloading|a:1|operator"));
}

TEST_F(problems_of_the_mirror, what_a_daemon_that_has_ended_said_of_its_configuration_is_over) {
  says("a:1", mirror_problem::reloading, mistake_);
  sql("update flanks_internal.mirror_problems set seen_at = now() - interval '4 minutes'");
  EXPECT_THAT(told(), IsEmpty());
  sql("update flanks_internal.mirror_problems set seen_at = now() - interval '2 hours'");
  says("b:2", mirror_problem::reloading, std::nullopt);
  EXPECT_THAT(rows("select process from flanks_internal.mirror_problems"), IsEmpty());
}

TEST_F(problems_of_the_mirror,
       what_several_daemons_meet_is_one_problem_and_over_when_one_gets_through) {
  says("a:1", mirror_problem::fetching, refused_);
  says("b:2", mirror_problem::fetching, refused_);
  EXPECT_THAT(told(), ElementsAre("fetching|b:2|operator"));
  says("c:3", mirror_problem::fetching, std::nullopt);
  EXPECT_THAT(told(), IsEmpty());
}

TEST_F(problems_of_the_mirror, nobody_works_on_what_has_been_due_for_long) {
  const credential_id ana = add("ana", "t"), ben = add("ben", "u");
  const auto due_for = [&](int minutes) {
    sql(
        fmt::format("update flanks_internal.schedule set next_due_at = now() - interval '{} "
                    "minutes' where credential_id = {}",
                    minutes, ana.value));
  };
  due_for(14);
  EXPECT_THAT(told(), IsEmpty());
  due_for(16);
  EXPECT_THAT(told(), ElementsAre("working|the database|operator"));
  EXPECT_THAT(
      value("select error from flanks.mirror_problems"),
      ::testing::MatchesRegex("1 credential has been due since .* UTC, and nobody works on it"));
  says("a:1", mirror_problem::fetching, refused_);
  EXPECT_THAT(told(), ElementsAre("fetching|a:1|operator"));
  says("a:1", mirror_problem::fetching, std::nullopt);
  EXPECT_THAT(told(), ElementsAre("working|the database|operator"));
  // A worker that has enough to do is another matter, and so is the provider's pause.
  sql(
      fmt::format("update flanks_internal.leases set lease_id = gen_random_uuid(), holder = 'a:1', "
                  "expires_at = now() + interval '1 minute' where credential_id = {}",
                  ben.value));
  EXPECT_THAT(told(), IsEmpty());
  sql("update flanks_internal.leases set lease_id = null, holder = null, expires_at = null");
  sql("update flanks_internal.rate_limit set paused_until = now() + interval '1 hour'");
  EXPECT_THAT(told(), IsEmpty());
}

TEST_F(problems_of_the_mirror, who_ends_in_order_takes_back_what_it_said_and_nothing_else) {
  says("a:1", mirror_problem::fetching, refused_);
  says("a:1", mirror_problem::reloading, mistake_);
  says("b:2", mirror_problem::reloading, mistake_);
  db_options options = options_;
  options.holder = "a:1";
  pg_connection db(options);
  mirror_problems::forget(db, options);
  EXPECT_THAT(told(), ElementsAre("reloading|b:2|operator"));
}

TEST_F(problems_of_the_mirror, a_clock_is_that_of_one_machine) {
  const failure apart(stage::answer, verdict::later, "clock_apart", "an hour ahead");
  says("a:1", mirror_problem::clock, apart);
  says("b:2", mirror_problem::clock, std::nullopt);
  EXPECT_THAT(told(), ElementsAre("clock|a:1|operator"));
  pg_connection db(options_);
  EXPECT_LE(std::chrono::abs(pg_clock_ahead(db)), std::chrono::seconds{1});
}

}  // namespace flanks::testing
