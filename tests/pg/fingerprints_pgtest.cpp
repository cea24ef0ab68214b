// Fingerprints never say anything else than the table, whatever comes and whatever others do to the
// rows.
#include <thread>

#include "sync/stored_text.hpp"
#include "tests/pg/diff_fixture.hpp"

namespace flanks::testing {
namespace {

class fingerprints : public diff {};

answer with(std::vector<shown> records, int who = 0) {
  return {who, 0, last_day, std::move(records)};
}

TEST_F(fingerprints, what_commits_while_an_answer_is_compared_is_found_by_the_next_window) {
  const answer twice{0, -27, 33, {{1, 0, 1}, {2, 5, 1}}};
  apply(twice);
  other_db_->begin();
  other_db_->run(
      statement{"test", "lock table flanks_internal.fingerprint_months in access exclusive mode"});
  std::thread other([&] {
    const auto waits = [&] {
      return query(options_,
                   "select count(*) from pg_locks where not granted and relation = "
                   "'flanks_internal.fingerprint_months'::regclass")
                 .front() == "1";
    };
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    while (!waits() && std::chrono::steady_clock::now() < deadline)
      std::this_thread::yield();
    other_db_->run(statement{"test", "delete from flanks.transactions where _id = 'id2'"});
    other_db_->commit();
  });
  apply(twice);
  other.join();
  EXPECT_EQ(apply(twice).inserted, 1);
}

// What somebody else may do to the rows: by hand, by another program, by a restore.
std::string any_meddling() {
  const int id = pick(0, operations), other = pick(0, operations);
  const std::string by_id = fmt::format(" where _id = 'id{}'", id);
  switch (pick(0, 7)) {
    case 0:
      return "delete from flanks.transactions" + by_id;
    case 1:
      return "update flanks.transactions set removed_at = now()" + by_id;
    case 2:
      return "update flanks.transactions set removed_at = null" + by_id;
    case 3:
      return fmt::format("update flanks.transactions set operation_date = '{}'",
                         to_string(date_of(pick(-2, last_day + 2)))) +
             by_id;
    case 4:
      return "update flanks.transactions set content_hash = gen_random_uuid(), amount = 99" + by_id;
    case 5:
      return fmt::format(
          "insert into flanks.transactions (_id, credential_id, product, "
          "operation_date, amount, content_hash) values ('id{}', {}, 'account', "
          "'{}', 98, gen_random_uuid()) on conflict do nothing",
          other, pick(1, 3), to_string(date_of(pick(0, last_day))));
    default:
      return fmt::format("update flanks.transactions set credential_id = {}", pick(1, 3)) + by_id;
  }
}

TEST_F(fingerprints, whatever_others_do_to_the_rows_an_answer_is_compared_with_the_table) {
  check(80, [&] {
    const auto story = any_story(2, 8);
    std::vector<std::string> meddling;
    for (std::size_t i = 0; i < story.size(); ++i)
      meddling.push_back(pick(0, 3) == 0 ? "truncate flanks.transactions cascade" : any_meddling());
    const auto live = [&](bool forgetful) {
      start_anew();
      for (std::size_t i = 0; i < story.size(); ++i) {
        if (forgetful) db_->run(statement{"test", "delete from flanks_internal.fingerprints"});
        apply(story[i]);
        kept_months();
        db_->run(statement{"test", meddling[i].c_str()});
        kept_months();
      }
      return table();
    };
    const auto expected = live(true);
    RC_ASSERT(live(false) == expected);
    RC_ASSERT(!HasFailure());
  });
}

TEST_F(fingerprints, what_was_written_is_kept_and_the_table_is_not_read_again) {
  apply(with({{1, 0, 1}, {2, 5, 1}}));
  EXPECT_EQ(kept_months(), 2);
  apply(with({{1, 0, 2}, {2, 5, 1}, {3, 4, 1}}));
  EXPECT_EQ(kept_months(), 2);
  // A removal makes its month unknown, and only that one.
  apply(with({{1, 0, 2}, {3, 4, 1}}));
  EXPECT_EQ(kept_months(), 1);
  apply(with({{1, 0, 2}, {3, 4, 1}}));
  EXPECT_EQ(kept_months(), 2);
  const auto rows_read = [&] {
    db_->run(statement{"test", "select pg_stat_force_next_flush()"});
    return read(
        "select idx_tup_read::text from pg_stat_user_indexes where indexrelname = "
        "'transactions_by_credential'");
  };
  const auto before = rows_read();
  const row_counts counts = apply(with({{1, 0, 2}, {3, 4, 1}}));
  EXPECT_EQ(counts.unchanged, 2);
  EXPECT_EQ(rows_read(), before);
}

TEST_F(fingerprints, what_commits_while_a_window_is_open_makes_its_fingerprints_void) {
  apply(with({{1, 0, 1}, {2, 5, 1}}));
  const answer next = with({{1, 0, 2}, {2, 5, 1}});
  {
    const auto writer = open(*db_, next);
    other_db_->run(
        statement{"test", "update flanks.transactions set removed_at = now() where _id = 'id2'"});
    writer->write(batches_of(next.records));
    absent_rows absent;
    writer->close(absent);
  }
  EXPECT_EQ(kept_months(), 0);
  EXPECT_THAT(table(),
              ::testing::ElementsAre("id1|0|2026-04-28|8.0|there", "id2|0|2026-05-03|7.0|removed"));
  EXPECT_EQ(apply(next).updated, 1);
  EXPECT_THAT(table(),
              ::testing::ElementsAre("id1|0|2026-04-28|8.0|there", "id2|0|2026-05-03|7.0|there"));
  EXPECT_EQ(kept_months(), 2);
}

TEST_F(fingerprints,
       what_is_open_while_a_window_commits_makes_its_fingerprints_void_when_it_commits) {
  apply(with({{1, 0, 1}, {2, 5, 1}}));
  other_db_->begin();
  other_db_->run(statement{"test", "delete from flanks.transactions where _id = 'id2'"});
  apply(with({{1, 0, 1}, {2, 5, 1}}));
  other_db_->commit();
  EXPECT_EQ(kept_months(), 0);
  EXPECT_EQ(apply(with({{1, 0, 1}, {2, 5, 1}})).inserted, 1);
}

TEST_F(fingerprints, nothing_is_kept_while_others_meddle_or_nobody_watches) {
  const answer twice = with({{1, 0, 1}, {2, 5, 1}});
  apply(twice);
  // What happened meanwhile nobody has seen.
  db_->run(
      statement{"test", "alter table flanks.transactions disable trigger invalidate_fingerprints"});
  db_->run(statement{"test", "delete from flanks.transactions where _id = 'id1'"});
  EXPECT_EQ(apply(twice).inserted, 1);
  db_->run(statement{"test", "delete from flanks.transactions where _id = 'id1'"});
  db_->run(statement{
      "test", "alter table flanks.transactions enable always trigger invalidate_fingerprints"});
  EXPECT_EQ(apply(twice).inserted, 1);
  EXPECT_EQ(kept_months(), 2);
  // Another trigger may make of a row what it likes.
  db_->run(statement{"test",
                     "create function public.f() returns trigger language plpgsql as $$ begin "
                     "return new; end $$"});
  db_->run(statement{"test",
                     "create trigger f before update on flanks.transactions for each row execute "
                     "function public.f()"});
  EXPECT_EQ(apply(with({{1, 0, 2}, {2, 5, 1}})).updated, 1);
  db_->run(statement{"test", "drop trigger f on flanks.transactions"});
  EXPECT_EQ(apply(with({{1, 0, 1}, {2, 5, 1}})).updated, 1);
  EXPECT_EQ(kept_months(), 2);
}

TEST_F(fingerprints, restoring_rows_past_the_usual_triggers_is_seen_all_the_same) {
  apply(with({{1, 0, 1}, {2, 5, 1}}));
  other_db_->run(statement{"test", "set session_replication_role = replica"});
  other_db_->run(statement{"test", "delete from flanks.transactions where _id = 'id1'"});
  EXPECT_EQ(apply(with({{1, 0, 1}, {2, 5, 1}})).inserted, 1);
}

// What somebody may do where no trigger sees it: values, hashes, what is remembered.
std::string any_tampering() {
  const std::string by_id = fmt::format(" where _id = 'id{}'", pick(0, operations));
  switch (pick(0, 14)) {
    case 0:
      return "update flanks.transactions set amount = amount + 1" + by_id;
    case 1:
      return "update flanks.transactions set description = 'tea'" + by_id;
    case 2:
      return "update flanks.transactions set operation_date = operation_date + 1" + by_id;
    case 3:
      return "update flanks.transactions set operation_date = '1999-01-01'" + by_id;
    case 4:
      return "update flanks.transactions set content_hash = gen_random_uuid()" + by_id;
    case 5:
      return "update flanks.transactions set removed_at = now()" + by_id;
    case 6:
      return "update flanks.transactions set extra = '{\"a\": 1}'" + by_id;
    case 7:
      return "update flanks.transactions set extra = null, transfer = null" + by_id;
    case 8:
      return "delete from flanks.transactions" + by_id;
    case 9:
      return "truncate flanks.transactions cascade";
    case 10:
      return "update flanks_internal.fingerprint_months set entries = entries || "
             "decode(repeat('00', 32), 'hex')";
    case 11:
      return "update flanks_internal.fingerprint_months set entries = ''";
    case 12:
      return "delete from flanks_internal.fingerprint_months";
    default:
      return "update flanks.transactions set description = 'tea', amount = 1, content_hash = "
             "gen_random_uuid()" +
             by_id;
  }
}

TEST_F(fingerprints, a_full_sweep_puts_right_whatever_was_done_unseen) {
  check(150, [&] {
    start_anew();
    answer shown{0, -27, 33, any_records(8, 0, operations, 0, last_day)};
    if (shown.records.empty()) shown.records.push_back({1, 0, 1});
    apply(shown);
    const auto provider = table();
    other_db_->run(statement{"test", "set session_replication_role = replica"});
    other_db_->run(statement{"test", "alter table flanks.transactions disable trigger all"});
    for (int n = pick(1, 4); n > 0; --n) {
      const std::string tampering = any_tampering();
      RC_LOG() << tampering << "\n";
      other_db_->run(statement{"test", tampering.c_str()});
    }
    other_db_->run(statement{"test",
                             "alter table flanks.transactions enable always trigger "
                             "void_content_hash, enable always trigger invalidate_fingerprints, "
                             "enable always trigger invalidate_all_fingerprints"});
    const row_counts found = apply_by_values(shown);
    RC_LOG() << shown
             << fmt::format(" {} fetched, {} inserted, {} updated, {} unchanged, {} duplicates\n",
                            found.fetched, found.inserted, found.updated, found.unchanged,
                            found.duplicates);
    RC_ASSERT(table() == provider);
    kept_months();
    RC_ASSERT(!HasFailure());
    const auto versions_then = versions();
    const row_counts again = apply_by_values(shown);
    RC_ASSERT(again.inserted + again.updated + again.removed == 0);
    RC_ASSERT(versions() == versions_then);
    RC_ASSERT(read("select count(*)::text from flanks.transactions where description is distinct "
                   "from 'coffee' or product <> 'account' or extra is not null")
                  .front() == "0");
  });
}

// Whatever a window of ours has done wrong: no trigger tells of it.
TEST_F(fingerprints, a_full_sweep_believes_none_that_are_kept) {
  const answer all = with({{1, 0, 1}, {2, 5, 1}, {3, 4, 1}});
  apply(all);
  other_db_->run(statement{"test",
                           "select set_config('flanks.writer', writer, false) from "
                           "flanks_internal.secrets"});
  for (const char* const wrong :
       {"update flanks.transactions set amount = 99 where _id = 'id1'",
        "delete from flanks.transactions where _id = 'id2'",
        "insert into flanks.transactions (_id, credential_id, product, operation_date, amount, "
        "content_hash) select 'id4', 1, 'account', operation_date, 98, gen_random_uuid() from "
        "flanks.transactions where _id = 'id3'"})
    other_db_->run(statement{"test", wrong});
  EXPECT_EQ(apply(all).unchanged, 3) << "they are believed until then";
  apply_by_values(all);
  EXPECT_THAT(read("select _id || ' ' || amount from flanks.transactions where removed_at is null "
                   "order by 1"),
              ::testing::ElementsAre("id1 7.0", "id2 7.0", "id3 7.0"));
}

TEST_F(fingerprints, who_says_that_it_is_a_window_is_watched_all_the_same) {
  const answer twice = with({{1, 0, 1}, {2, 5, 1}});
  apply(twice);
  other_db_->run(statement{"test", "set flanks.writer = 'window'"});
  other_db_->run(
      statement{"test", "update flanks.transactions set description = 'tea' where _id = 'id1'"});
  EXPECT_EQ(kept_months(), 0);
  EXPECT_EQ(apply(twice).updated, 1) << "not by the next full sweep, but at once";
  EXPECT_EQ(kept_months(), 2);
}

TEST_F(fingerprints, a_change_of_any_column_of_the_provider_voids_the_content_hash) {
  const auto watched = read(
      "select string_agg(event_object_column::text, ', ' order by event_object_column::text "
      "collate \"C\") from "
      "information_schema.triggered_update_columns where trigger_name = 'void_content_hash'");
  std::set<std::string_view> names;
  for (const table_column& c : transaction_columns)
    if (c.name != "_id") names.insert(c.name);
  EXPECT_EQ(watched.front(), fmt::format("{}", fmt::join(names, ", ")));
}

TEST_F(fingerprints, without_its_secret_a_window_is_stored_and_nothing_is_believed) {
  const answer twice = with({{1, 0, 1}, {2, 5, 1}});
  apply(twice);
  other_db_->run(statement{"test", "delete from flanks_internal.secrets"});
  EXPECT_EQ(apply(with({{1, 0, 2}, {2, 5, 1}})).updated, 1);
  EXPECT_EQ(kept_months(), 0);
  EXPECT_EQ(apply(twice).updated, 1);
}

TEST_F(fingerprints, under_another_key_rows_are_hashed_anew_and_nothing_has_changed) {
  const answer twice = with({{1, 0, 1}, {2, 5, 1}});
  apply(twice);
  const char* const hashes =
      "select string_agg(content_hash::text, ' ' order by _id) from flanks.transactions";
  const auto before = read(hashes);
  other_db_->run(statement{"test",
                           "update flanks_internal.secrets set content_key = sha512(content_key) "
                           "|| sha512(content_key || 'a') || sha512(content_key || 'b')"});
  db_ = std::make_unique<pg_connection>(options_);
  const row_counts done = apply(twice);
  EXPECT_EQ(done.unchanged, 2);
  EXPECT_EQ(done.updated, 0);
  EXPECT_NE(read(hashes), before);
  EXPECT_EQ(read("select count(*) from flanks.transaction_revisions").front(), "0");
  const auto after = read(hashes);
  EXPECT_EQ(apply(twice).unchanged, 2);
  EXPECT_EQ(read(hashes), after);
}

TEST_F(fingerprints, another_table_under_the_same_name_is_another_table) {
  const answer twice = with({{1, 0, 1}, {2, 5, 1}});
  apply(twice);
  EXPECT_EQ(kept_months(), 2);
  other_db_->run(statement{"test", "vacuum full flanks.transactions"});
  const std::string reads =
      "select coalesce(f.watch = w.watch, false)::text from "
      "flanks_internal.fingerprints f, flanks_internal.transactions_watch w";
  EXPECT_EQ(read(reads.c_str()).front(), "false");
  EXPECT_EQ(apply(twice).unchanged, 2);
  EXPECT_EQ(read(reads.c_str()).front(), "true");
  other_db_->run(statement{
      "test",
      "alter table flanks.transaction_sightings drop constraint transaction_sightings__id_fkey"});
  other_db_->run(statement{"test", "alter table flanks.transactions set unlogged"});
  EXPECT_EQ(apply(twice).unchanged, 2);
  EXPECT_EQ(read("select coalesce(watch, 'none') from flanks_internal.transactions_watch").front(),
            "none");
}

TEST_F(fingerprints, json_is_read_from_the_table_as_postgresql_writes_it_out) {
  const std::vector<std::string> objects{
      R"({"bb":1.50,"a":[true,null,{"z":-0.0}],"c":"\u00e9\/\"\\"})",
      R"({"n":1e3,"m":12.5E-3,"m":2})",
      R"({"deep":{"x":{"longer":1,"b":2}},"empty":{},"list":[]})"};
  for (const std::string& json : objects) {
    EXPECT_EQ(query(options_, "select '" + json + "'::jsonb::text").front(), jsonb_text(json));
  }
  std::vector<sample> samples;
  for (std::size_t i = 0; i < objects.size(); ++i)
    samples.push_back({.id = fmt::format("json{}", i), .extra = objects[i]});
  const auto sweep = [&] {
    const auto hand = in_hand(answer{0, -27, 33, {}});
    hand->scope.by_values = true;
    hand->batches.clear();
    hand->batches.push_back(batch_of(samples));
    return apply(*hand);
  };
  EXPECT_EQ(sweep().inserted, 3);
  const auto written = versions();
  EXPECT_EQ(sweep().unchanged, 3);
  EXPECT_EQ(versions(), written);
  db_->run(statement{
      "test", "update flanks.transactions set extra = extra || '{\"a\": 7}' where _id = 'json0'"});
  EXPECT_EQ(sweep().updated, 1);
  EXPECT_EQ(
      query(options_, "select extra::text from flanks.transactions where _id = 'json0'").front(),
      jsonb_text(objects[0]));
}

}  // namespace
}  // namespace flanks::testing
