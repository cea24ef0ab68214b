// The mirror as it was: flanks.transactions_as_of() against snapshots of the table, for each kind
// of change. Whole lives: tests/e2e/as_of_e2e.py.
#include <fmt/format.h>

#include "db/commands/erase.hpp"
#include "db/departures.hpp"
#include "db/pg/text_format.hpp"
#include "tests/pg/pg_fixture.hpp"

namespace flanks::testing {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class as_of : public database_test {
 protected:
  void SetUp() override {
    database_test::SetUp();
    ana_ = add("ana", "token-a");
    ben_ = add("ben", "token-b");
    sql("create table public.moments (nr bigint generated always as identity, at timestamptz)");
    sql("create table public.snapshots (nr bigint, content jsonb)");
  }

  // Keeps the table as it is now, every column of it.
  void snapshot() {
    sql("with m as (insert into public.moments (at) values (clock_timestamp()) returning nr) "
        "insert into public.snapshots select m.nr, to_jsonb(t) from m, flanks.transactions t");
  }
  // What transactions_as_of() says otherwise than the snapshots (as text: 1.5 is not 1.50), from
  // the row of a snapshot on.
  std::vector<std::string> differences(const std::string& kept = "true") {
    return rows(fmt::format(R"(
      select m.nr, d.* from public.moments m cross join lateral (
        (select 'wrong', to_jsonb(a)::text from flanks.transactions_as_of(m.at) a
         except all select 'wrong', s.content::text from public.snapshots s where s.nr = m.nr and {0})
        union all
        (select 'missing', s.content::text from public.snapshots s where s.nr = m.nr and {0}
         except all select 'missing', to_jsonb(a)::text from flanks.transactions_as_of(m.at) a)) d
      order by 1, 2, 3)",
                            kept));
  }

  run_record answer(credential_id id, const std::vector<sample>& samples) {
    const claimed_credential c = claim(id);
    auto ledger = run(store_->open_window(c.id, c.lease, product::account, may, std::nullopt,
                                          comparing::fingerprints));
    run(ledger->apply(batch_of(samples)));
    window_evidence evidence;
    evidence.provable = may;
    const run_record r = commit(*ledger, record_for(c, product::account), evidence);
    release(c);
    snapshot();
    return r;
  }
  static std::vector<sample> days(const std::string& prefix, int from, int to) {
    std::vector<sample> all;
    for (int i = from; i <= to; ++i) {
      all.push_back({fmt::format("{}{:02}", prefix, i), fmt::format("2026-05-{:02}", i), "-1.50",
                     fmt::format("day {}", i), std::nullopt, prefix});
    }
    return all;
  }
  void show_account(credential_id id, const std::string& account) {
    sql(
        fmt::format("insert into flanks.accounts (credential_id, account_id, iban, entity) values "
                    "({0}, '{1}', 'ES1', 'bank'); select flanks_internal.find_real_accounts({0}, "
                    "'account', array['{1}'])",
                    id.value, account));
  }
  void become(credential_id id, const std::string& state) {
    sql(fmt::format("update flanks.credentials set state = '{}' where credential_id = {}", state,
                    id.value));
  }
  void follow(credential_id id) {
    run(store_->follow_successions(id));
    snapshot();
  }
  std::vector<std::string> reasons() {
    return rows("select reason, count(*) from flanks.transaction_revisions group by 1 order by 1");
  }

  credential_id ana_, ben_;
};

TEST_F(as_of, before_anything_came_there_is_nothing) {
  snapshot();
  answer(ana_, {{"a"}});
  EXPECT_THAT(differences(), IsEmpty());
  EXPECT_EQ(value("select count(*) from flanks.transactions_as_of('-infinity')"), "0");
  EXPECT_EQ(value("select count(*) from flanks.transactions_as_of('infinity')"), "1");
}

TEST_F(as_of, corrections_removals_and_restorations_are_undone) {
  answer(ana_, {{"a", "2026-05-10", "1.50", "old"}, {"b"}});
  answer(ana_, {{"a", "2026-05-11", "-999999999999999999999.10", "new"}, {"b"}});
  answer(ana_, {{"b"}});
  answer(ana_, {{"a", "2026-05-12", "2", std::nullopt}, {"b"}});
  answer(ana_, {{"a", "2026-05-12", "2", ""}, {"b"}});
  EXPECT_THAT(differences(), IsEmpty());
  EXPECT_THAT(reasons(), ElementsAre("changed|2", "removed|1", "restored|1"));
  EXPECT_EQ(value("select string_agg(amount::text, ' ' order by nr) from public.moments, lateral "
                  "flanks.transactions_as_of(at) where _id = 'a'"),
            "1.50 -999999999999999999999.10 -999999999999999999999.10 2 2");
}

TEST_F(as_of, digits_are_those_that_were_sent_then) {
  answer(ana_, {{"a", "2026-05-10", "1.50", "x", R"({"n": 1.50})"}});
  EXPECT_EQ(answer(ana_, {{"a", "2026-05-10", "1.5", "x", R"({"n": 1.50})"}}).counts.updated, 0);
  EXPECT_EQ(answer(ana_, {{"a", "2026-05-10", "1.5", "x", R"({"n": 1.5})"}}).counts.updated, 0);
  EXPECT_THAT(differences(), IsEmpty());
  EXPECT_THAT(reasons(), ElementsAre("rewritten|2"));
}

TEST_F(as_of, a_new_content_key_makes_no_version) {
  answer(ana_, {{"a"}});
  const std::string written = value("select updated_at from flanks.transactions");
  sql("update flanks_internal.secrets set content_key = sha512(content_key) || "
      "sha512(content_key || 'a') || sha512(content_key || 'b')");
  store_ = make_store(loop_.get_executor(), options_);
  answer(ana_, {{"a"}});
  EXPECT_EQ(value("select updated_at from flanks.transactions"), written);
  EXPECT_THAT(reasons(), IsEmpty());
  EXPECT_EQ(value("select count(*) from public.moments, lateral flanks.transactions_as_of(at)"),
            "2");
  EXPECT_EQ(differences().size(), 2U) << "the hash of the first moment is the later one";
}

TEST_F(as_of, renumbered_rows_have_their_old_ids) {
  answer(ana_, days("a", 1, 20));
  answer(ana_, days("z", 1, 20));
  EXPECT_THAT(differences(), IsEmpty());
  EXPECT_THAT(reasons(), ElementsAre("renumbered|20"));
}

TEST_F(as_of, rows_age_out_when_they_did_and_come_back_when_they_did) {
  show_account(ana_, "a");
  for (const int first : {1, 12, 12, 5})
    EXPECT_EQ(answer(ana_, days("a", first, 20)).counts.removed, 0);
  EXPECT_EQ(
      value("select string_agg(n::text, ' ' order by nr) from (select nr, count(a.aged_out_at) "
            "as n from public.moments, lateral flanks.transactions_as_of(at) a group by nr) x"),
      "0 11 11 4");
  EXPECT_THAT(differences(), IsEmpty());
  EXPECT_THAT(reasons(), ElementsAre("aged_out|11", "restored|7"));
}

TEST_F(as_of, successions_and_their_reversal_are_in_their_time) {
  show_account(ana_, "a");
  answer(ana_, days("a", 1, 20));
  show_account(ben_, "b");
  answer(ben_, days("b", 8, 25));
  become(ana_, "gone");
  follow(ben_);
  become(ana_, "ok");
  follow(ana_);
  EXPECT_THAT(differences(), IsEmpty());
  EXPECT_THAT(reasons(), ElementsAre("restored|13", "succeeded|13"));
}

TEST_F(as_of, a_joint_row_has_the_owner_that_it_had) {
  answer(ana_, {{"j"}, {"k"}, {"a"}});
  answer(ben_, {{"j"}, {"k"}, {"b"}});
  answer(ana_, {{"k"}, {"a"}});  // j goes to ben
  become(ana_, "gone");
  answer(ben_, {{"j"}, {"k"}, {"b"}});  // so does k
  become(ana_, "ok");
  answer(ben_, {{"b"}});
  EXPECT_THAT(differences(), IsEmpty());
  EXPECT_THAT(rows("select nr, string_agg(_id, '' order by _id) filter (where credential_id = 1), "
                   "string_agg(_id, '' order by _id) filter (where credential_id = 2) from "
                   "public.moments, lateral flanks.transactions_as_of(at) group by 1 order by 1"),
              ElementsAre("1|ajk|-", "2|ajk|b", "3|ak|bj", "4|a|bjk", "5|a|bjk"));
}

TEST_F(as_of, of_two_versions_in_one_answer_the_last_counts) {
  answer(ana_, {{"a", "2026-05-10", "1"}, {"a", "2026-05-10", "2"}});
  answer(ana_, {{"a", "2026-05-10", "3"}, {"a", "2026-05-10", "4"}});
  EXPECT_THAT(differences(), IsEmpty());
  EXPECT_EQ(value("select count(*) from flanks.transaction_revisions"), "3");
  // Also at the very instant of the writing.
  EXPECT_THAT(rows("select a.amount from flanks.transaction_revisions r, lateral "
                   "flanks.transactions_as_of(r.replaced_at) a order by r.revision_id"),
              ElementsAre("2", "4", "4"));
}

// The first that begins is the last that writes: what it wrote counts from the end of the version
// that it met, and no operation is there twice.
TEST_F(as_of,
       transactions_that_write_in_another_order_than_they_begin_leave_one_version_at_a_time) {
  answer(ana_, {{"a", "2026-05-10", "1"}, {"b"}});
  pg_connection early(options_);
  early.begin();
  early.run(statement{"test", "select now()"});
  answer(ana_, {{"a", "2026-05-10", "2"}, {"b"}});
  departures::effect done;
  departures::remove(early, {ana_, product::account, random_uuid()}, {{"a", "absent", {}}}, done);
  early.commit();
  EXPECT_EQ(done.removed, 1);
  EXPECT_EQ(value("select replaced_at < valid_from from flanks.transaction_revisions order by "
                  "revision_id desc limit 1"),
            "t");
  const std::string all =
      "(select valid_from as at from flanks.transaction_revisions union "
      "select replaced_at from flanks.transaction_revisions) m";
  const std::string unlike_two =
      "select at from " + all +
      " where (select count(*) || ' ' || count(distinct _id) from flanks.transactions_as_of(m.at)) "
      "<> '2 2'";
  EXPECT_THAT(rows(unlike_two), IsEmpty()) << "while the one that began first is the current one";
  answer(ana_, {{"a", "2026-05-10", "3"}, {"b"}});
  answer(ana_, {{"a", "2026-05-10", "4"}, {"b"}});
  EXPECT_THAT(rows(unlike_two), IsEmpty()) << "and when it is a revision";
  EXPECT_THAT(
      rows("select amount || case when removed_at is null then '' else ' removed' end from " + all +
           ", lateral flanks.transactions_as_of(m.at) where _id = 'a' order by m.at"),
      ElementsAre("1", "1", "2 removed", "3", "4"));
}

TEST_F(as_of, what_was_erased_is_in_no_instant) {
  show_account(ana_, "a");
  answer(ana_, days("a", 1, 20));
  answer(ana_, days("a", 2, 20));
  show_account(ben_, "b");
  std::vector<sample> both = days("b", 8, 25);
  both.push_back({"joint", "2026-05-30"});
  answer(ben_, both);
  const credential_id eva = add("eva", "token-e");
  answer(eva, {{"joint", "2026-05-30"}, {"e"}});
  become(ana_, "gone");
  follow(ben_);  // ana's rows have ben's as successors
  become(ana_, "ok");
  follow(ana_);
  erase_user(options_, user_id{"ben"});
  snapshot();
  EXPECT_THAT(differences("s.content->>'credential_id' <> '2' and s.content->>'successor_id' is "
                          "null and not s.content @> '{\"removal_reason\": \"succeeded\"}'"),
              AllOf(SizeIs(13), Each(HasSubstr("wrong"))))
      << "ana's thirteen, of which it is forgotten what they became";
  EXPECT_EQ(
      value("select count(a.successor_id) || ' ' || count(*) filter (where a.credential_id = 2) "
            "from public.moments, lateral flanks.transactions_as_of(at) a"),
      "0 0");
  EXPECT_EQ(value("select count(*) from flanks.transaction_revisions where content::text ~ "
                  "'\"b[0-9]{2}\"'"),
            "0");
  // The joint one is eva's from now on.
  EXPECT_THAT(rows("select nr, credential_id from public.moments, lateral "
                   "flanks.transactions_as_of(at) where _id = 'joint'"),
              ElementsAre("7|3"));
}

TEST_F(as_of, a_reader_may_call_it_and_needs_no_internals) {
  answer(ana_, {{"a"}});
  answer(ana_, {{"a", "2026-05-10", "9"}});
  const std::string reader = "reader_" + database_;
  sql("create role " + reader + "; grant usage on schema flanks to " + reader +
      "; grant select on flanks.transactions, flanks.transaction_revisions, public.moments to " +
      reader);
  EXPECT_EQ(value("set role " + reader +
                  "; select count(*) from public.moments, lateral flanks.transactions_as_of(at)"),
            "2");
  sql("drop owned by " + reader + "; drop role " + reader);
}

TEST_F(as_of, a_filter_reaches_the_indexes_of_rows_and_revisions) {
  pg_connection db(options_);
  std::string plan;
  db.run(statement{"test", "set enable_seqscan = off"});
  for (const auto& r : db.run(statement{
           "test",
           "explain select * from flanks.transactions_as_of(now()) where credential_id = 7"}))
    plan += std::string(r[0].c_str()) + "\n";
  EXPECT_THAT(plan, HasSubstr("transactions_by_credential on transactions"));
  EXPECT_THAT(plan, HasSubstr("transaction_revisions_by_credential"));
  EXPECT_THAT(plan, ::testing::Not(HasSubstr("Function Scan")));
}

}  // namespace
}  // namespace flanks::testing
