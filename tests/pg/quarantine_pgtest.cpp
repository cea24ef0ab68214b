// Records that could not be stored: kept once, told as long as they are wrong, resolved when they
// are not; never more rows than are allowed.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "db/pg_store.hpp"
#include "tests/pg/pg_fixture.hpp"

namespace flanks::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr window year_2026{day{std::chrono::year{2026} / 1 / 1},
                           day{std::chrono::year{2026} / 6 / 1}};
constexpr window april{day{std::chrono::year{2026} / 4 / 1}, day{std::chrono::year{2026} / 4 / 30}};

class quarantine_rows : public database_test {
 protected:
  void SetUp() override {
    database_test::SetUp();
    id_ = add("ana", "token-a");
  }
  static rejected_record bad(const std::string& id, const std::string& raw,
                             const std::string& reason = "bad_amount") {
    rejected_record r = rejected(reason, raw);
    r.id = id;
    return r;
  }
  void store_answer(std::vector<sample> good, std::vector<rejected_record> refused,
                    window days = year_2026) {
    const claimed_credential c = claim(id_);
    std::vector<transaction_batch> batches;
    batches.push_back(batch_of(good));
    batches[0].rejected = std::move(refused);
    store_batches(c, std::move(batches), product::account, days);
    release(c);
  }
  std::vector<std::string> open() {
    return rows(
        "select reason || ' ' || _id from flanks.quarantine where resolved_at is null order "
        "by 1");
  }
  std::string unclean() { return value("select unclean from flanks.coverage"); }
  std::string versions() {
    return value("select string_agg(ctid::text || xmin, ' ' order by ctid) from flanks.quarantine");
  }
  std::string last_error() {
    return value(
        "select coalesce(last_error, 'none') || ', ' || who_must_act || ', ' || quarantined "
        "from flanks.sync_status");
  }
  credential_id id_;
};

TEST_F(quarantine_rows, a_record_that_is_stored_later_is_resolved_and_the_days_are_clean) {
  store_answer({{"a"}}, {bad("b", "1")});
  EXPECT_THAT(open(), ElementsAre("bad_amount b"));
  EXPECT_EQ(unclean(), "{[2026-01-01,2026-06-02)}");
  EXPECT_EQ(last_error(),
            "1 record could not be stored and is in quarantine; the rest is stored, "
            "operator, 1")
      << "also when nothing is fetched meanwhile";
  EXPECT_EQ(claim(id_).of(product::account).unclean_from, year_2026.from);
  sql("update flanks_internal.leases set lease_id = null, expires_at = null, holder = null");
  store_answer({{"a"}, {"b"}}, {});
  EXPECT_THAT(open(), IsEmpty());
  EXPECT_EQ(unclean(), "{}");
  EXPECT_EQ(last_error(), "none, nobody, 0");
  EXPECT_EQ(
      value("select q.resolved_sync_run_id = r.sync_run_id from flanks.quarantine q, (select * "
            "from flanks.sync_runs order by finished_at desc limit 1) r"),
      "t");
}

TEST_F(quarantine_rows, a_record_without_id_is_resolved_when_its_days_are_read_without_it) {
  store_answer({{"a"}}, {bad("", "1", "missing_id")});
  store_answer({}, {}, april);
  EXPECT_THAT(open(), ElementsAre("missing_id ")) << "other days say nothing of it";
  EXPECT_EQ(unclean(), "{[2026-01-01,2026-04-01),[2026-05-01,2026-06-02)}");
  store_answer({{"a"}}, {});
  EXPECT_THAT(open(), IsEmpty());
}

TEST_F(quarantine_rows, parts_of_the_days_that_are_all_clean_resolve_it_too) {
  store_answer({}, {bad("", "1", "missing_id")});
  store_answer({}, {}, {year_2026.from, april.from});
  EXPECT_THAT(open(), ElementsAre("missing_id "));
  store_answer({}, {}, {april.from, year_2026.to});
  EXPECT_THAT(open(), IsEmpty());
}

TEST_F(quarantine_rows, the_same_bad_record_again_writes_nothing) {
  store_answer({{"a"}}, {bad("b", "1"), bad("b", "1"), bad("", "2")});
  const std::string before = versions();
  store_answer({{"a"}}, {bad("", "2"), bad("b", "1")});
  EXPECT_EQ(versions(), before);
}

TEST_F(quarantine_rows, what_comes_back_after_it_was_resolved_is_open_again) {
  store_answer({}, {bad("b", "1")});
  store_answer({{"b"}}, {});
  store_answer({}, {bad("b", "1")});
  EXPECT_THAT(open(), ElementsAre("bad_amount b"));
  EXPECT_EQ(value("select count(*) from flanks.quarantine"), "1");
  EXPECT_EQ(value("select first_sync_run_id <> last_sync_run_id from flanks.quarantine"), "t");
}

TEST_F(quarantine_rows, a_warning_is_resolved_by_the_record_as_it_should_be_and_spoils_no_days) {
  rejected_record warning = bad("a", "{}", "bad_value");
  warning.stored_anyway = true;
  store_answer({{"a"}}, {warning});
  EXPECT_EQ(unclean(), "{}");
  EXPECT_EQ(last_error(), "none, nobody, 0");
  store_answer({{"a"}}, {warning});
  EXPECT_THAT(open(), ElementsAre("bad_value a"));
  store_answer({{"a", "2026-05-10", "3"}}, {});
  EXPECT_THAT(open(), IsEmpty());
}

TEST_F(quarantine_rows, what_is_mended_resolves_no_other) {
  store_answer({}, {bad("b", "1"), bad("c", "2")});
  store_answer({{"b"}}, {bad("c", "2")});
  EXPECT_THAT(open(), ElementsAre("bad_amount c"));
  EXPECT_EQ(unclean(), "{[2026-01-01,2026-06-02)}");
}

TEST_F(quarantine_rows, beyond_the_limit_of_a_day_records_are_counted_and_a_replay_writes_nothing) {
  options_.limits.quarantine_per_day = 10;
  store_ = make_store(loop_.get_executor(), options_);
  std::vector<rejected_record> many;
  for (int i = 0; i < 35; ++i)
    many.push_back(bad(fmt::format("id{:02}", i), std::to_string(i)));
  for (int i = 0; i < 4; ++i)
    many.push_back(bad("", std::to_string(i), "missing_id"));
  store_answer({}, many);
  EXPECT_THAT(
      rows("select reason, count(*), sum(records) from flanks.quarantine group by 1 order by 1"),
      ElementsAre("bad_amount|11|35", "missing_id|4|4"));
  EXPECT_EQ(value("select detail from flanks.quarantine where records > 1"),
            "more records of this reason came than are kept (limits.quarantine_per_day)");
  EXPECT_EQ(
      last_error(),
      "39 records could not be stored and are in quarantine; the rest is stored, operator, 39");
  const std::string before = versions();
  store_answer({}, many);
  EXPECT_EQ(versions(), before);
  sql("update flanks.quarantine set first_seen_at = first_seen_at - interval '1 day'");
  const std::string yesterday = versions();
  store_answer({}, many);
  EXPECT_EQ(versions(), yesterday) << "nor on another day";
  store_answer({}, {});
  EXPECT_THAT(open(), IsEmpty());
}

}  // namespace
}  // namespace flanks::testing
