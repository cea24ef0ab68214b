// What keeps the mirror as a whole from its work: who says so, and when it is over.
#include "db/mirror_problems.hpp"

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

}  // namespace flanks::testing
