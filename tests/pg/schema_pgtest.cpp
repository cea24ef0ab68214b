// Migrations, comments, rights, and what commands see of credentials.
#include <future>

#include "db/commands/status_view.hpp"
#include "db/transaction_sql.hpp"
#include "tests/pg/pg_fixture.hpp"

namespace flanks::testing {

using migrate::migrator;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using kind = migrate::summary::kind;

constexpr embedded_migration one{1, "0001_one.sql", R"(create schema flanks_internal;
create table flanks_internal.schema_migrations (version integer primary key, name text, sha256 text,
  applied_at timestamptz default now());)"};
constexpr embedded_migration two{2, "0002_two.sql", "create table public.two (n integer)"};
constexpr embedded_migration two_changed{2, "0002_two.sql", "create table public.two (n bigint)"};
constexpr embedded_migration broken{2, "0002_two.sql",
                                    "create table public.two (n integer); select 1 / 0"};
// What an unreleased version may have begun with: another name, or another file of our name.
constexpr embedded_migration other_one{1, "0001_other.sql", one.sql};
constexpr embedded_migration one_changed{1, "0001_one.sql", "create schema flanks_internal"};
constexpr embedded_migration other_origin[] = {other_one, two};
constexpr embedded_migration changed_origin[] = {one_changed, two};
constexpr embedded_migration first[] = {one};
constexpr embedded_migration both[] = {one, two};
constexpr embedded_migration changed[] = {one, two_changed};
constexpr embedded_migration failing[] = {one, broken};

class migrations : public ::testing::Test {
 protected:
  void SetUp() override {
    database_ = create_database("template0");
    options_ = options_for(database_);
  }
  void TearDown() override { drop_database(database_); }
  int up(std::span<const embedded_migration> known, int patience = 5) {
    return migrator(options_, known).up(std::chrono::seconds{patience}, [&](const std::string& s) {
      told_.push_back(s);
    });
  }
  std::string database_;
  db_options options_;
  std::vector<std::string> told_;
};

TEST_F(migrations, fresh_database_gets_all_and_a_second_time_nothing) {
  EXPECT_EQ(migrator(options_).check().what, kind::outdated);
  EXPECT_EQ(up(embedded_migrations()), static_cast<int>(embedded_migrations().size()));
  EXPECT_EQ(up(embedded_migrations()), 0);
  EXPECT_EQ(migrator(options_).check().what, kind::up_to_date);
  EXPECT_THAT(told_, SizeIs(embedded_migrations().size()));
  EXPECT_EQ(told_[0], "0001_credentials.sql");
}

TEST_F(migrations, pending_one_is_outdated_until_it_is_applied) {
  up(first);
  const auto s = migrator(options_, both).check();
  EXPECT_EQ(s.what, kind::outdated);
  EXPECT_EQ(s.message, "the database's schema is out of date: 1 migration is pending");
  EXPECT_EQ(up(both), 1);
  const auto lines = migrator(options_, both).status();
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_EQ(lines[1].how, migrate::state::applied);
}

TEST_F(migrations, what_fails_for_the_schema_is_said_of_it) {
  const auto said = [&](const std::string& sql) {
    pg_connection db(options_);
    db.begin();
    try {
      db.run(statement{"test", sql.c_str()});
    } catch (const sql_problem& problem) {
      const failure f = migrate::explained(db, problem, stage::write);
      EXPECT_EQ(f.stage, stage::write);
      EXPECT_FALSE(db.in_transaction());
      return f.error_class + ": " + f.what() + " / " + f.hint;
    }
    return std::string("nothing failed");
  };
  const std::string none =
      "database_schema: the database has no schema of flanks-sync yet / run flanks-sync migrate up";
  for (const char* sql : {"select * from flanks.nothing", "select nothing from pg_class",
                          "select nothing()", "select 1::nothing"})
    EXPECT_EQ(said(sql), none) << sql;
  EXPECT_THAT(said("select 1/0"), HasSubstr("test failed in database"));
  up(embedded_migrations());
  EXPECT_THAT(
      said("select * from flanks.nothing"),
      ::testing::AllOf(
          HasSubstr("relation \"flanks.nothing\" does not exist"),
          ::testing::EndsWith(" / every migration is applied: something of ours was dropped or "
                              "renamed since; restore it from a backup")));
}

TEST_F(migrations, changed_file_is_refused) {
  up(both);
  EXPECT_EQ(migrator(options_, changed).check().what, kind::changed);
  const failure f = failure_of([&] { up(changed); });
  EXPECT_EQ(f.error_class, "schema_changed");
  EXPECT_STREQ(f.what(),
               "migration 0002_two.sql was changed after it was applied to this database");
}

TEST_F(migrations, database_of_an_unreleased_version_is_refused_with_the_way_out) {
  up(both);
  for (const std::span<const embedded_migration> ours :
       {std::span<const embedded_migration>(other_origin),
        std::span<const embedded_migration>(changed_origin), embedded_migrations()}) {
    const failure f = failure_of([&] { up(ours); });
    EXPECT_EQ(f.error_class, "schema_changed");
    EXPECT_EQ(f.verdict, verdict::stop);
    EXPECT_EQ(f.what(),
              "the schema was made by an unreleased version of flanks-sync: it begins with "
              "0001_one.sql, which is not the " +
                  std::string(ours[0].name) + " of this program; it cannot be migrated");
    EXPECT_EQ(f.hint,
              "tokens that are sealed (encryption.key_file) do not come along: their applications "
              "must register them again; "
              "make a new database and read everything again, with database.dsn naming the new "
              "one: flanks-sync migrate up; psql -X -d OLD_DATABASE -c \"copy (select user_id, "
              "credentials_token from flanks.user_credentials join "
              "flanks_internal.credentials_tokens using (credential_id) where credentials_token is "
              "not null) to stdout (format csv, header)\" | flanks-sync credentials import -; "
              "flanks-sync backfill");
    EXPECT_EQ(migrator(options_, ours).check().what, kind::changed);
    EXPECT_EQ(migrator(options_, ours).check().hint, f.hint);
    EXPECT_STREQ(failure_of([&] { (void)migrator(options_, ours).plan(); }).what(), f.what());
  }
  EXPECT_THAT(told_, SizeIs(2)) << "nothing was applied";
}

TEST_F(migrations, newer_database_is_refused) {
  up(both);
  EXPECT_EQ(migrator(options_, first).check().what, kind::newer);
  const failure f = failure_of([&] { up(first); });
  EXPECT_EQ(f.error_class, "schema_newer");
  EXPECT_EQ(f.verdict, verdict::stop);
}

TEST_F(migrations, failing_one_leaves_nothing_behind) {
  EXPECT_THAT(failure_of([&] { up(failing); }).what(),
              HasSubstr("0002_two.sql failed in database"));
  EXPECT_THAT(query(options_, "select to_regclass('public.two')"), ElementsAre("-"));
  EXPECT_EQ(migrator(options_, both).check().pending, 1);
}

TEST_F(migrations, two_at_once_apply_each_once) {
  std::vector<std::future<int>> runs;
  for (int i = 0; i < 4; ++i) {
    runs.push_back(std::async(std::launch::async, [&] {
      return migrator(options_).up(std::chrono::seconds{20}, [](const auto&) {});
    }));
  }
  int applied = 0;
  for (auto& r : runs)
    applied += r.get();
  EXPECT_EQ(applied, static_cast<int>(embedded_migrations().size()));
}

TEST_F(migrations, another_migrator_that_does_not_end_is_waited_for_and_named) {
  pg_connection holder(options_);
  holder.begin();
  holder.run(
      statement{"test", "select pg_advisory_xact_lock(hashtextextended('flanks.migrate', 0))"});
  const failure f = failure_of([&] { up(both, 1); });
  EXPECT_EQ(f.error_class, "migration_locked");
  EXPECT_EQ(f.verdict, verdict::later);
}

TEST_F(migrations, plan_is_sql_that_does_the_same) {
  query(options_, migrator(options_).plan());
  EXPECT_EQ(migrator(options_).check().what, kind::up_to_date);
  EXPECT_EQ(migrator(options_).plan(), "");
}

class schema : public database_test {};

// Names of constraints are PostgreSQL's own, and what they say is in the comment of their column.
TEST_F(schema, everything_has_a_comment) {
  EXPECT_THAT(rows(R"(
    select c.oid::regclass::text from pg_class c where relnamespace in ('flanks'::regnamespace, 'flanks_internal'::regnamespace)
      and relkind in ('r', 'v', 'm') and obj_description(c.oid, 'pg_class') is null
    union all
    select c.oid::regclass || '.' || attname from pg_attribute a join pg_class c on c.oid = attrelid
      where relnamespace in ('flanks'::regnamespace, 'flanks_internal'::regnamespace) and relkind in ('r', 'v', 'm')
      and attnum > 0 and not attisdropped and col_description(c.oid, attnum) is null
    union all
    select oid::regprocedure::text from pg_proc where pronamespace in ('flanks'::regnamespace, 'flanks_internal'::regnamespace)
      and obj_description(oid, 'pg_proc') is null
    union all
    select 'trigger ' || tgname from pg_trigger t join pg_class c on c.oid = tgrelid
      where relnamespace in ('flanks'::regnamespace, 'flanks_internal'::regnamespace) and not tgisinternal
      and obj_description(t.oid, 'pg_trigger') is null
    union all
    select 'index ' || c.relname from pg_class c where relnamespace in ('flanks'::regnamespace, 'flanks_internal'::regnamespace)
      and relkind = 'i' and not exists (select from pg_constraint k where k.conindid = c.oid) and obj_description(c.oid, 'pg_class') is null
    union all
    select 'sequence ' || c.relname from pg_class c where relnamespace in ('flanks'::regnamespace, 'flanks_internal'::regnamespace)
      and relkind = 'S' and not exists (select from pg_depend d where d.objid = c.oid and d.classid = 'pg_class'::regclass and d.deptype in ('a', 'i'))
      and obj_description(c.oid, 'pg_class') is null
    union all
    select 'type ' || typname from pg_type where typnamespace in ('flanks'::regnamespace, 'flanks_internal'::regnamespace)
      and typtype in ('d', 'e', 'r', 'm') and obj_description(oid, 'pg_type') is null
    union all
    select nspname from pg_namespace where nspname like 'flanks%' and obj_description(oid, 'pg_namespace') is null)"),
              IsEmpty());
}

// db/transaction_sql.hpp says what else a new column needs.
TEST_F(schema, views_of_transactions_show_every_column_of_the_provider) {
  for (const std::string view : {"transactions_current", "transactions_distinct"}) {
    const auto shown = rows(
        "select column_name::text from information_schema.columns where table_schema = 'flanks' "
        "and table_name = '" +
        view + "'");
    for (const table_column& c : transaction_columns)
      EXPECT_THAT(shown, ::testing::Contains(c.name)) << view;
  }
}

TEST_F(schema, the_columns_of_transactions_are_those_that_we_know) {
  EXPECT_EQ(value("select string_agg('t.' || column_name, ', ' order by length(column_name), "
                  "column_name::text collate \"C\") from information_schema.columns where "
                  "(table_schema, table_name) = ('flanks', 'transactions')"),
            all_columns("t"));
}

TEST_F(schema, registering_twice_gives_the_same_number_and_links_users) {
  const credential_id id = add("ana", "tok");
  EXPECT_EQ(add("ana", "tok"), id);
  EXPECT_EQ(add("ben", "tok"), id);
  EXPECT_NE(add("ana", "tok2"), id);
  EXPECT_THAT(rows("select user_id, credential_id from flanks.user_credentials order by 2, 1"),
              ElementsAre("ana|1", "ben|1", "ana|2"));
  EXPECT_EQ(value("select count(*) from flanks_internal.leases where next_due_at <= now()"), "2");
}

TEST_F(schema, same_token_registered_at_once_is_one_credential) {
  std::vector<std::future<credential_id>> adds;
  for (int i = 0; i < 6; ++i) {
    adds.push_back(
        std::async(std::launch::async, [&, i] { return add("u" + std::to_string(i), "same"); }));
  }
  for (auto& a : adds)
    EXPECT_EQ(a.get().value, adds.size() == 6 ? 1 : 0);
  EXPECT_EQ(value("select count(*) from flanks.credentials"), "1");
}

TEST_F(schema, bad_token_is_refused_without_showing_it) {
  const failure f = failure_of([&] { add("ana", "geheim blank"); });
  EXPECT_EQ(f.stage, stage::configuration);
  EXPECT_THAT(f.what(), HasSubstr("credentials_token"));
  EXPECT_THAT(f.what(), Not(HasSubstr("geheim")));
  EXPECT_EQ(failure_of([&] { add("", "tok"); }).error_class, "bad_credential");
}

TEST_F(schema, other_roles_can_neither_register_nor_read_a_token) {
  add("ana", "tok");
  sql("create role stranger_" + database_);
  sql("grant usage on schema flanks to stranger_" + database_);
  for (const char* text :
       {"select flanks.register_credential('x', 'y')", "table flanks_internal.credentials_tokens",
        "table flanks_internal.leases"}) {
    pg_connection db(options_);
    const std::string become = "set role stranger_" + database_;
    db.run(statement{"test", become.c_str()});
    try {
      db.run(statement{"test", text});
      ADD_FAILURE() << text;
    } catch (const sql_problem& p) {
      EXPECT_EQ(p.sqlstate, "42501") << text;
    }
  }
  // With the function granted, the owner's rights do the rest, whatever the caller's search_path
  // holds.
  sql("grant execute on function flanks.register_credential(text, text) to stranger_" + database_);
  {
    pg_connection db(options_);
    const std::string become = "set role stranger_" + database_;
    db.run(statement{"test", become.c_str()});
    db.run(statement{"test", "create temporary table credentials (x text)"});
    EXPECT_EQ(db.run(statement{"test", "select flanks.register_credential('ben', 'tok')"})[0][0]
                  .as<int>(),
              1);
  }
  sql("drop owned by stranger_" + database_);
  sql("drop role stranger_" + database_);
}

TEST_F(schema, removed_credential_has_no_token_keeps_its_rows_and_comes_back_under_its_number) {
  const credential_id id = add("ana", "tok");
  store_window(id, {{"a"}});
  const claimed_credential held = claim(id);
  registry r(options_);
  r.remove(id);
  EXPECT_EQ(value("select credentials_token from flanks_internal.credentials_tokens"), "-");
  EXPECT_EQ(value("select count(*) from flanks.transactions"), "1");
  EXPECT_THAT(r.list(std::nullopt, false), IsEmpty());
  EXPECT_EQ(r.show(id).state, "removed");
  EXPECT_FALSE(run(store_->renew(id, held.lease)));
  EXPECT_EQ(failure_of([&] { r.remove(id); }).error_class, "unknown_credential");
  EXPECT_EQ(add("ana", "tok"), id);
  EXPECT_EQ(claim(id).credentials_token.reveal(), "tok");
  EXPECT_EQ(r.show(id).transactions, 1);
}

TEST_F(schema, list_and_show_tell_of_users_and_unknown_ones_are_named) {
  add("ana", "t1");
  add("ben", "t1");
  add("ana", "t2");
  registry r(options_);
  EXPECT_THAT(r.list(user_id{"ana"}, false), SizeIs(2));
  ASSERT_THAT(r.list(user_id{"ben"}, false), SizeIs(1));
  EXPECT_THAT(r.list(user_id{"ben"}, false)[0].users, ElementsAre(user_id{"ana"}, user_id{"ben"}));
  EXPECT_STREQ(failure_of([&] { r.pause(credential_id{9}, ""); }).what(),
               "credential 9 is not registered");
  EXPECT_EQ(failure_of([&] { (void)r.show(credential_id{9}); }).error_class, "unknown_credential");
}

TEST_F(schema, status_puts_problems_first) {
  const credential_id good = add("ana", "t1");
  store_window(good, {{"a"}});
  const credential_id bad = add("ben", "t2");
  const claimed_credential c = claim(bad);
  next_attempt next{};
  next.state = credential_state::action_required;
  next.delay = std::chrono::hours{6};
  next.error = "the bank asks for authentication";
  run(store_->release(bad, c.lease, next));
  const auto status = read_status(options_, {});
  ASSERT_THAT(status, SizeIs(2));
  EXPECT_EQ(status[0].id, bad);
  EXPECT_EQ(status[0].who_must_act, "end_user");
  EXPECT_EQ(status[0].last_error, "the bank asks for authentication");
  EXPECT_THAT(status[0].what_next, HasSubstr("asked again at 20"));
  EXPECT_EQ(status[1].state, "ok");
  EXPECT_TRUE(status[1].lag);
  EXPECT_THAT(*status[1].last_success_at, ::testing::MatchesRegex("....-..-..T..:..:..Z"));
  selection ana;
  ana.users = {user_id{"ana"}};
  EXPECT_THAT(read_status(options_, ana), SizeIs(1));
}

TEST_F(schema, status_says_who_must_act) {
  add("ana", "t");
  const std::vector<std::tuple<std::string, std::string, int, std::string>> table{
      {"error", "http_500", 1, "provider"},
      {"error", "html", 1, "provider"},
      {"error", "token_refused", 1, "operator"},
      {"error", "http_403", 1, "operator"},
      {"error", "database_disk_full", 1, "operator"},
      {"error", "resolve_timeout", 2, "nobody"},
      {"error", "resolve_timeout", 3, "operator"},
      {"error", "resolve_failed", 1, "operator"},
      {"error", "connect_refused", 1, "operator"},
      {"blocked", "", 0, "end_user"},
      {"gone", "", 0, "operator"},
      {"pending", "", 0, "provider"},
      {"ok", "", 0, "nobody"},
  };
  for (const auto& [state, error_class, failures, who] : table) {
    sql("update flanks.credentials set state = '" + state + "', last_error_class = '" +
        error_class + "'");
    sql("update flanks_internal.schedule set failures_in_a_row = " + std::to_string(failures));
    EXPECT_EQ(value("select who_must_act from flanks.sync_status"), who)
        << state << ' ' << error_class;
  }
}

}  // namespace flanks::testing
