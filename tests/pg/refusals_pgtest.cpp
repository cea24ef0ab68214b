// What an operator's or a customer's settings and objects do to us: refused by name, or made good.
#include <fmt/format.h>

#include "db/pg/connect.hpp"
#include "db/pg/own_names.hpp"
#include "tests/pg/pg_fixture.hpp"

namespace flanks::testing {

using ::testing::HasSubstr;
using ::testing::Not;

class settings_of_others : public database_test {
 protected:
  struct wish {
    const char* name;
    const char* value;
  };
  static constexpr wish wishes[] = {
      {"DateStyle", "German"},
      {"IntervalStyle", "iso_8601"},
      {"TimeZone", "Europe/Madrid"},
      {"client_encoding", "LATIN1"},
      {"search_path", "public"},
      {"standard_conforming_strings", "off"},
      {"array_nulls", "off"},
      {"bytea_output", "escape"},
      {"extra_float_digits", "-15"},
      {"transform_null_equals", "on"},
      {"quote_all_identifiers", "on"},
      {"row_security", "on"},
      {"default_transaction_read_only", "on"},
      {"default_transaction_isolation", "serializable"},
      {"lc_messages", "C"},
      {"statement_timeout", "1"},
  };

  void mirrors() {
    store_ = make_store(loop_.get_executor(), options_);
    const credential_id id = add("u", "t");
    claim(id);
    EXPECT_NO_THROW((void)run(store_->next_due()));
  }
};

TEST_F(settings_of_others, of_the_database_do_not_reach_us) {
  for (const wish& w : wishes)
    sql(fmt::format("alter database {} set {} = '{}'", database_, w.name, w.value));
  mirrors();
}

TEST_F(settings_of_others, of_the_role_do_not_reach_us) {
  for (const wish& w : wishes)
    sql(fmt::format("alter role postgres in database {} set {} = '{}'", database_, w.name,
                    w.value));
  mirrors();
  sql(fmt::format("alter role postgres in database {} reset all", database_));
}

TEST_F(settings_of_others, of_the_dsn_do_not_reach_us) {
  std::string asked;
  for (const wish& w : wishes)
    asked += fmt::format(" -c {}={}", w.name, w.value);
  options_.login =
      fixed_login(options_.login->current().who.dsn + fmt::format(" options='{}'", asked));
  mirrors();
}

TEST_F(settings_of_others, that_nobody_may_ask_for_are_refused_by_name) {
  sql(fmt::format("alter database {} set session_replication_role = 'replica'", database_));
  const failure f = failure_of([&] { const pg_connection db(options_); });
  const std::string host = query(options_for("postgres"), "show unix_socket_directories").at(0);
  EXPECT_EQ(f.stage, stage::configuration);
  EXPECT_EQ(f.error_class, "database_settings");
  EXPECT_EQ(f.verdict, verdict::stop);
  EXPECT_EQ(
      std::string(f.what()),
      fmt::format("database \"{}\" at {}: the setting session_replication_role of our session "
                  "is \"replica\" and must be \"origin\": the triggers of our tables must "
                  "fire",
                  database_, host));
  EXPECT_EQ(f.hint,
            "alter role \"postgres\" reset session_replication_role; and the same of the database");
}

TEST_F(settings_of_others, that_did_not_reach_the_server_are_refused_one_by_one) {
  pg_connection db(options_);
  const db_target at = db.target();
  const std::string query = settings_query();
  for (const wish& w : wishes) {
    if (std::string_view(w.name) == "lc_messages" ||
        std::string_view(w.name) == "statement_timeout")
      continue;
    const std::string change = fmt::format("set {} = '{}'", w.name, w.value);
    const std::string back = fmt::format("reset {}", w.name);
    db.run(statement{"set", change.c_str()});
    const failure f = failure_of([&] {
      check_settings(at, db.run(statement{"check", query.c_str()}));
    });
    EXPECT_EQ(f.error_class, "database_settings");
    EXPECT_THAT(f.what(), HasSubstr(fmt::format("the setting {} of our session is", w.name)));
    EXPECT_THAT(f.hint, HasSubstr(fmt::format("alter role \"postgres\" set {} = '", w.name)));
    db.run(statement{"reset", back.c_str()});
  }
}

TEST_F(settings_of_others, that_stand_on_the_role_are_enough_where_nothing_else_arrives) {
  pg_connection db(options_);
  const std::string query = settings_query();
  EXPECT_TRUE(options_arrived(db.run(statement{"check", query.c_str()})));
  db.run(statement{"drop", "reset flanks_sync.asked; set flanks_sync.asked = ''"});
  const pg_rows found = db.run(statement{"check", query.c_str()});
  EXPECT_FALSE(options_arrived(found));
  EXPECT_NO_THROW(check_settings(db.target(), found));
}

TEST_F(database_test, every_constraint_and_unique_index_of_the_migrations_is_ours) {
  const auto found = rows(R"(
select c.conrelid::regclass, c.conname from pg_constraint c
where c.connamespace in ('flanks'::regnamespace, 'flanks_internal'::regnamespace) and c.conrelid <> 0
union select i.indrelid::regclass, r.relname from pg_index i join pg_class r on r.oid = i.indexrelid
where r.relnamespace in ('flanks'::regnamespace, 'flanks_internal'::regnamespace) and i.indisunique)");
  EXPECT_GT(found.size(), 100U);
  for (const std::string& line : found) {
    const std::size_t bar = line.find('|');
    EXPECT_FALSE(is_foreign_constraint(line.substr(0, bar), line.substr(bar + 1))) << line;
  }
}

class objects_of_others : public database_test {
 protected:
  void SetUp() override {
    database_test::SetUp();
    id_ = add("u", "t");
  }
  failure storing(std::vector<sample> rows) {
    failure f = failure_of([&] { store_window(id_, std::move(rows)); });
    sql("update flanks_internal.leases set lease_id = null, holder = null, expires_at = null");
    return f;
  }
  credential_id id_{};
};

TEST_F(objects_of_others, a_unique_index_is_named_and_no_row_is_stored) {
  sql("create unique index on flanks.transactions (operation_date, amount)");
  const failure f = storing({{"a"}, {"b"}});
  EXPECT_EQ(f.error_class, "database_constraint");
  EXPECT_EQ(f.verdict, verdict::later);
  EXPECT_THAT(f.what(), HasSubstr("\"transactions_operation_date_amount_idx\" of "
                                  "flanks.transactions refused a row"));
  EXPECT_EQ(f.hint,
            "\"transactions_operation_date_amount_idx\" is no index or constraint of "
            "flanks-sync's: whoever made it has to drop it");
  EXPECT_EQ(value("select count(*) from flanks.transactions"), "0");
}

TEST_F(objects_of_others, a_check_keeps_out_what_it_refuses_and_is_named) {
  sql("alter table flanks.transactions add check (value_date is not null or amount < 0)");
  store_window(id_, {{"a", "2026-05-10", "1"}, {"b"}});
  EXPECT_EQ(value("select _id from flanks.transactions"), "b");
  const std::string hint =
      "\"transactions_check\" is no index or constraint of flanks-sync's: whoever made it has to "
      "drop it";
  EXPECT_THAT(value("select detail from flanks.quarantine"), HasSubstr("; " + hint));
  EXPECT_EQ(value("select concat_ws('|', outcome, error_class, error_message, error_hint) "
                  "from flanks.sync_runs"),
            "partial|refused_by_database|\"transactions_check\" of flanks.transactions refused 1 "
            "record|" +
                hint);
}

TEST_F(objects_of_others, a_foreign_key_is_named) {
  sql("create table public.currencies (code text primary key)");
  sql("alter table flanks.transactions add foreign key (account_id) references public.currencies");
  sql("alter table flanks.transactions alter account_id set default 'none'");
  sql("create function public.fill() returns trigger language plpgsql as $$ begin new.account_id = "
      "'none'; return new; end $$");
  sql("create trigger fill before insert on flanks.transactions for each row execute function "
      "public.fill()");
  const failure f = storing({{"a"}});
  EXPECT_EQ(f.error_class, "database_constraint");
  EXPECT_EQ(f.hint,
            "\"transactions_account_id_fkey\" is no index or constraint of flanks-sync's: whoever "
            "made it has to drop it");
}

TEST_F(objects_of_others, a_trigger_is_named_and_no_migration_is_asked_for) {
  sql("create table public.audit_log(id text)");
  sql("create function public.aud() returns trigger language plpgsql as $$ begin insert into "
      "audit_log values (new._id); return new; end $$");
  sql("create trigger aud after insert or update on flanks.transactions for each row execute "
      "function public.aud()");
  const failure f = storing({{"a"}, {"b"}});
  EXPECT_EQ(f.error_class, "database_foreign_function");
  EXPECT_THAT(f.what(), HasSubstr("the function public.aud() refused it, or failed: relation "
                                  "\"audit_log\" does not exist (42P01)"));
  EXPECT_THAT(f.hint, HasSubstr("public.aud() is none of flanks-sync's"));
  EXPECT_THAT(f.hint, HasSubstr("it runs with search_path = pg_catalog"));
  EXPECT_THAT(f.hint, Not(HasSubstr("migrate")));
  sql("alter function public.aud() set search_path = public");
  store_window(id_, {{"a"}, {"b"}});
  EXPECT_EQ(value("select count(*) from public.audit_log"), "2");
}

TEST_F(objects_of_others, a_trigger_that_refuses_is_named) {
  sql("create function public.no() returns trigger language plpgsql as $$ begin raise exception "
      "'not %', new._id; end $$");
  sql("create trigger no before insert on flanks.transactions for each row execute function "
      "public.no()");
  const failure f = storing({{"a"}});
  EXPECT_THAT(f.what(), HasSubstr("the function public.no() refused it, or failed: not a (P0001)"));
}

TEST_F(objects_of_others, row_security_is_an_error_that_names_the_table) {
  const std::string role = "daemon_" + database_;
  sql("create role " + role + " login");
  sql("grant usage on schema flanks, flanks_internal to " + role);
  sql("grant all on all tables in schema flanks, flanks_internal to " + role);
  sql("grant execute on all functions in schema flanks, flanks_internal to " + role);
  db_options as_daemon = options_;
  as_daemon.login = fixed_login(options_.login->current().who.dsn + " user=" + role);
  for (const char* table : {"flanks_internal.leases", "flanks.credentials", "flanks.sync_runs",
                            "flanks.transactions", "flanks.holders"}) {
    const run_record record = record_for(claim(id_));
    sql("update flanks_internal.leases set lease_id = null, holder = null, expires_at = null");
    const auto theirs = make_store(loop_.get_executor(), as_daemon);
    sql(fmt::format("alter table {} enable row level security", table));
    const failure f = failure_of([&] {
      (void)run(theirs->claim_due(5));
      run(theirs->record_run(record));
    });
    EXPECT_EQ(f.error_class, "database_row_security") << table;
    EXPECT_EQ(f.verdict, verdict::stop);
    EXPECT_EQ(value("select count(*) from flanks_internal.leases where lease_id is not null"), "0")
        << "nothing was claimed";
    EXPECT_EQ(f.hint, fmt::format("row security is enabled on {}: alter table ... disable row "
                                  "level security, or alter role \"{}\" bypassrls",
                                  table, role));
    sql(fmt::format("alter table {} disable row level security", table));
    sql("update flanks_internal.leases set lease_id = null, holder = null, expires_at = null");
  }
  sql("drop owned by " + role);
  sql("drop role " + role);
}

}  // namespace flanks::testing
