// Erasing a person while others are at work: what is in flight, who else shows an operation, what
// was removed before. That no text is left anywhere is tests/e2e/erase_e2e.py's to see.
#include "db/commands/erase.hpp"

#include <future>

#include "db/credential_book.hpp"
#include "tests/pg/pg_fixture.hpp"

namespace flanks::testing {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class erase : public database_test {
 protected:
  void SetUp() override {
    database_test::SetUp();
    ana_ = add("ana", "token-a");
    ben_ = add("ben", "token-b");
  }
  std::vector<std::string> owners() {
    return rows("select _id, credential_id from flanks.transactions order by _id");
  }

  credential_id ana_, ben_;
};

TEST_F(erase, window_in_flight_cannot_commit_and_its_failure_leaves_no_run) {
  const claimed_credential c = claim(ana_);
  const auto open = run(store_->open_window(c.id, c.lease, product::account, may, std::nullopt,
                                            comparing::fingerprints));
  run(open->apply(batch_of({{"a"}, {"b"}})));
  erase_user(options_, user_id{"ana"});
  const failure f = failure_of([&] { commit(*open, record_for(c)); });
  EXPECT_EQ(f.error_class, "lease_lost");
  run(open->abandon());
  run_record failed = record_for(c);
  failed.outcome = outcome::failed;
  failed.error_message = "something about the person";
  run(store_->record_run(failed));
  release(c);
  EXPECT_THAT(owners(), IsEmpty());
  EXPECT_EQ(value("select count(*) from flanks.sync_runs"), "0");
  EXPECT_EQ(value("select count(*) from flanks.credentials"), "1");
}

TEST_F(erase, window_that_commits_first_is_waited_for_and_erased) {
  const claimed_credential c = claim(ana_);
  pg_connection db(options_);
  db.begin();  // a window in its last step: it holds its lease, its rows are there
  db.run(
      statement{"test", "select from flanks_internal.leases where credential_id = 1 for update"});
  db.run(statement{"test",
                   "insert into flanks.transactions (_id, credential_id, product, "
                   "operation_date, amount, content_hash) values ('late', 1, 'account', "
                   "'2026-05-01', 1, gen_random_uuid())"});
  auto erasing =
      std::async(std::launch::async, [&] { return erase_user(options_, user_id{"ana"}); });
  wait_for_a_waiter();
  db.commit();
  EXPECT_EQ(erasing.get().erased.size(), 1U);
  EXPECT_THAT(owners(), IsEmpty());
}

TEST_F(erase, joint_operation_goes_to_the_one_who_shows_it) {
  store_window(ana_, {{"joint"}, {"only ana's"}});
  store_window(ben_, {{"joint"}, {"only ben's"}}, product::card);
  const erase_report r = erase_user(options_, user_id{"ana"});
  EXPECT_EQ(r.handed_over, 1);
  EXPECT_THAT(rows("select _id, credential_id, product from flanks.transactions order by _id"),
              ElementsAre("joint|2|card", "only ben's|2|card"));
  EXPECT_EQ(value("select count(*) from flanks.transaction_sightings"), "0");
  // Its heir's next answer finds it unchanged.
  EXPECT_EQ(store_window(ben_, {{"joint"}, {"only ben's"}}, product::card).unchanged, 2);
}

TEST_F(erase, sighting_that_is_being_written_is_waited_for) {
  store_window(ana_, {{"joint"}});
  const claimed_credential c = claim(ben_);
  pg_connection db(options_);
  db.begin();
  db.run(statement{"test",
                   "insert into flanks.transaction_sightings (_id, credential_id, product) "
                   "values ('joint', 2, 'account')"});
  auto erasing =
      std::async(std::launch::async, [&] { return erase_user(options_, user_id{"ana"}); });
  wait_for_a_waiter();
  db.commit();
  EXPECT_EQ(erasing.get().handed_over, 1);
  EXPECT_THAT(owners(), ElementsAre("joint|2"));
}

TEST_F(erase, other_version_of_a_joint_operation_is_read_again) {
  store_window(ana_, {{"joint", "2026-05-10", "-1.00"}});
  store_window(ben_, {{"joint", "2026-05-10", "-2.00"}, {"own"}});
  sql("update flanks.coverage set provider_seen_at = now(), last_sweep_at = now()");
  erase_user(options_, user_id{"ana"});
  EXPECT_THAT(owners(), ElementsAre("own|2"));
  EXPECT_EQ(value("select provider_seen_at is null and last_sweep_at is null from flanks.coverage"),
            "t");
}

TEST_F(erase, credential_of_two_users_loses_one_link_and_nothing_else) {
  add("ben", "token-a");
  store_window(ana_, {{"a"}});
  const erase_report r = erase_user(options_, user_id{"ana"});
  EXPECT_THAT(r.erased, IsEmpty());
  EXPECT_THAT(r.kept, ElementsAre(ana_));
  EXPECT_THAT(owners(), ElementsAre("a|1"));
  EXPECT_EQ(value("select string_agg(user_id, ',') from flanks.user_credentials"), "ben,ben");
  EXPECT_EQ(value("select count(*) from flanks_internal.former_users"), "0");
  EXPECT_EQ(value("select count(*) from flanks_internal.erased_tokens"), "0");
  EXPECT_EQ(erase_user(options_, user_id{"ben"}).erased.size(), 2U);
}

TEST_F(erase, link_that_was_a_mistake_does_not_save_a_credential) {
  add("ben", "token-a");
  sql("delete from flanks.user_credentials where user_id = 'ben' and credential_id = 1");
  EXPECT_THAT(erase_user(options_, user_id{"ana"}).erased, ElementsAre(ana_));
}

TEST_F(erase, removed_credential_belongs_to_whom_it_belonged_last) {
  add("ben", "token-a");
  store_window(ana_, {{"a"}});
  registry(options_).remove(ana_);
  EXPECT_THAT(erase_user(options_, user_id{"ana"}).kept, ElementsAre(ana_)) << "it was ben's too";
  EXPECT_THAT(owners(), ElementsAre("a|1"));
  erase_user(options_, user_id{"ben"});
  EXPECT_THAT(owners(), IsEmpty());
}

TEST_F(erase, backfill_plan_that_names_the_user_goes_and_others_stay) {
  selection ana, ben;
  ana.users = {user_id{"ana"}};
  ben.users = {user_id{"ben"}};
  run(store_->plan_backfill(ana, may, true, false));
  run(store_->plan_backfill(ben, may, true, false));
  selection number;
  number.credentials = {ana_};
  run(store_->plan_backfill(number, may, true, false));
  erase_user(options_, user_id{"ana"});
  EXPECT_EQ(value("select count(*) from flanks_internal.backfills"), "1");
  EXPECT_EQ(value("select arguments->>'users' from flanks_internal.backfills"), "{\"ben\"}");
}

TEST_F(erase, tombstone_refuses_everyone_until_an_operator_lifts_it) {
  erase_user(options_, user_id{"ana"});
  const failure f = failure_of([&] { add("ana", "token-a"); });
  EXPECT_EQ(f.error_class, "erased_credential");
  EXPECT_THAT(f.what(), HasSubstr("was erased"));
  EXPECT_EQ(failure_of([&] { add("someone else", "token-a"); }).error_class, "erased_credential");
  EXPECT_EQ(value("select encode(token_digest, 'hex') = encode(sha256('token-a'), 'hex') "
                  "from flanks_internal.erased_tokens"),
            "t");
  registry(options_).add(user_id{"ana"}, secret("token-a"), true);
  EXPECT_EQ(value("select count(*) from flanks_internal.erased_tokens"), "0");
  EXPECT_NE(add("ana", "token-a").value, ana_.value);
}

TEST_F(erase, unknown_user_is_named_and_a_preview_writes_nothing) {
  EXPECT_EQ(failure_of([&] { erase_user(options_, user_id{"anna"}); }).error_class, "unknown_user");
  EXPECT_THAT(preview_erase(options_, user_id{"ana"}).erased, ElementsAre(ana_));
  EXPECT_EQ(value("select count(*) from flanks.credentials"), "2");
}

class book : public database_test {};

TEST_F(book, says_what_each_token_is_and_a_rehearsal_leaves_nothing) {
  add("ana", "known");
  registry(options_).remove(add("ana", "removed"));
  add("gone", "erased");
  erase_user(options_, user_id{"gone"});
  const auto b = make_credential_book(loop_.get_executor(), options_);
  std::vector<secret> tokens;
  for (const char* t : {"removed", "unknown, \"quoted\"", "erased", "known"})
    tokens.emplace_back(t);
  EXPECT_THAT(run(b->look(tokens)),
              ElementsAre(standing::removed, standing::unknown, standing::erased, standing::known));
  const std::string before = value("select count(*) from flanks.credentials");
  EXPECT_EQ(run(b->rehearse(user_id{"new"})), standing::known);
  EXPECT_EQ(run(b->rehearse(user_id{std::string(300, 'x')})), standing::refused);
  EXPECT_EQ(value("select count(*) from flanks.credentials"), before);
  std::vector<registration_request> wanted;
  for (const char* t : {"erased", "new", "new", "a b"})
    wanted.push_back({user_id{"x"}, secret(t)});
  wanted.push_back({user_id{std::string("a\0b", 3)}, secret("other")});
  wanted.push_back({user_id{"Mu\xf1oz"}, secret("other")});
  wanted.push_back({user_id{"\u200B \u00A0"}, secret("other")});
  wanted.push_back({user_id{"my other name"}, secret("other")});
  EXPECT_THAT(
      run(b->add(wanted)),
      ElementsAre(standing::erased, standing::known, standing::known, standing::refused,
                  standing::refused, standing::refused, standing::refused, standing::refused));
  EXPECT_EQ(value("select count(*) from flanks.user_credentials where user_id = 'x'"), "1");
}

TEST_F(book, postponed_credential_is_due_later_and_nothing_else_changes) {
  const credential_id id = add("ana", "tok");
  const claimed_credential c = claim(id);
  next_attempt next{};
  next.postponed = true;
  next.delay = std::chrono::seconds{600};
  run(store_->release(id, c.lease, next));
  EXPECT_EQ(value("select state || failures_in_a_row || (asked_at is null) || "
                  "(s.next_due_at > now() + interval '9 minutes') || (l.next_due_at = "
                  "s.next_due_at) || (lease_id is null) "
                  "from flanks.credentials join flanks_internal.schedule s using (credential_id) "
                  "join flanks_internal.leases l using (credential_id)"),
            "new0truetruetruetrue");
  EXPECT_EQ(value("select count(*) from flanks.credential_states"), "1");
}

}  // namespace flanks::testing
