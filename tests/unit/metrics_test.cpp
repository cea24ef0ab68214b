// What Prometheus is told: every name, label and number, for runs and gauges made by hand.
#include "daemon/metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using namespace flanks;
using ::testing::HasSubstr;
using ::testing::Not;

run_record window_of(std::optional<product> what, outcome how, const row_counts& counts = {}) {
  run_record r;
  r.what = what;
  r.outcome = how;
  r.counts = counts;
  return r;
}

row_counts seven() {
  row_counts c;
  c.fetched = 21, c.inserted = 1, c.updated = 2, c.unchanged = 3, c.duplicates = 4;
  c.quarantined = 11, c.removed = 6;
  return c;
}

mirror_gauges some_gauges() {
  mirror_gauges g;
  g.states = {{"ok", 7, instant{std::chrono::seconds{1699999000}}},
              {"error", 2, instant{std::chrono::seconds{1699827200}}},
              {"removed", 1, instant{std::chrono::seconds{1600000000}}}};
  g.due = 3;
  g.leases = 4;
  g.quarantine = {{"bad_amount", false, 5}, {"nul_character", true, 6}};
  g.open_removals = 2;
  g.tables = {{"flanks.transactions", 1000, 65536}};
  g.read_at = instant{std::chrono::seconds{1700000001}};
  return g;
}

TEST(metrics, counters_begin_at_zero) {
  const metrics m;
  const std::string text = m.text({}, {}, {});
  for (const char* line :
       {"flanks_windows_total{outcome=\"ok\",product=\"account\"} 0\n",
        "flanks_rows_total{kind=\"quarantined\",product=\"liability\"} 0\n",
        "flanks_product_lists_total{outcome=\"suspicious\",product=\"holder\"} 0\n",
        "flanks_product_list_rows_total{kind=\"removed\",product=\"identity\"} 0\n"})
    EXPECT_THAT(text, HasSubstr(line));
}

TEST(metrics, lines_that_the_log_dropped_are_counted) {
  const metrics m;
  daemon_view daemon;
  daemon.log_lines_dropped = 12;
  daemon.reload_failed = true;
  EXPECT_THAT(m.text({}, {}, daemon), HasSubstr("flanks_log_lines_dropped_total 12\n"));
  EXPECT_THAT(m.text({}, {}, daemon), HasSubstr("flanks_config_last_reload_successful 0\n"));
}

TEST(metrics, a_window_counts_once_and_its_rows_by_kind) {
  metrics m;
  m.count(window_of(product::card, outcome::partial, seven()));
  m.count(window_of(product::card, outcome::ok, seven()));
  const std::string text = m.text({}, {}, {});
  for (const char* line : {"flanks_windows_total{outcome=\"partial\",product=\"card\"} 1\n",
                           "flanks_windows_total{outcome=\"ok\",product=\"card\"} 1\n",
                           "flanks_rows_total{kind=\"fetched\",product=\"card\"} 42\n",
                           "flanks_rows_total{kind=\"inserted\",product=\"card\"} 2\n",
                           "flanks_rows_total{kind=\"updated\",product=\"card\"} 4\n",
                           "flanks_rows_total{kind=\"unchanged\",product=\"card\"} 6\n",
                           "flanks_rows_total{kind=\"duplicates\",product=\"card\"} 8\n",
                           "flanks_rows_total{kind=\"quarantined\",product=\"card\"} 22\n",
                           "flanks_rows_total{kind=\"removed\",product=\"card\"} 12\n",
                           "flanks_windows_total{outcome=\"ok\",product=\"account\"} 0\n",
                           "flanks_product_lists_total{outcome=\"ok\",product=\"card\"} 0\n"})
    EXPECT_THAT(text, HasSubstr(line));
}

TEST(metrics, failures_count_by_class_and_a_status_that_failed_has_no_product) {
  metrics m;
  run_record status = window_of(std::nullopt, outcome::failed);
  status.error_class = "http_503";
  m.count(status);
  product_run list;
  list.what = product_kind::holder;
  list.outcome = outcome::failed;
  list.error_class = "http_503";
  m.count(list);
  run_record waiting = window_of(product::card, outcome::not_available);
  waiting.error_class = "provider_pending";  // why, and not that anything failed
  m.count(waiting);
  const std::string text = m.text({}, {}, {});
  EXPECT_THAT(text, HasSubstr("flanks_windows_total{outcome=\"failed\",product=\"none\"} 1\n"));
  EXPECT_THAT(text,
              HasSubstr("flanks_product_lists_total{outcome=\"failed\",product=\"holder\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("flanks_failures_total{error_class=\"http_503\"} 2\n"));
  EXPECT_THAT(text, Not(HasSubstr("provider_pending")));
}

TEST(metrics, gauges_name_every_state_and_the_oldest_success_where_it_means_something) {
  const metrics m;
  const mirror_gauges g = some_gauges();
  const std::string text = m.text({true, &g}, {}, {});
  for (const char* line :
       {"flanks_database_up 1\n", "flanks_database_read_timestamp_seconds 1700000001\n",
        "flanks_credentials{state=\"ok\"} 7\n", "flanks_credentials{state=\"error\"} 2\n",
        "flanks_credentials{state=\"gone\"} 0\n", "flanks_credentials{state=\"removed\"} 1\n",
        "flanks_credentials_due 3\n", "flanks_leases_held 4\n",
        "flanks_oldest_success_timestamp_seconds{state=\"error\"} 1699827200\n",
        "flanks_quarantine_records{reason=\"bad_amount\",stored=\"no\"} 5\n",
        "flanks_quarantine_records{reason=\"nul_character\",stored=\"yes\"} 6\n",
        "flanks_reviews_open{kind=\"removals\"} 2\n",
        "flanks_reviews_open{kind=\"successions\"} 0\n",
        "flanks_table_rows{table=\"flanks.transactions\"} 1000\n",
        "flanks_table_size_bytes{table=\"flanks.transactions\"} 65536\n"})
    EXPECT_THAT(text, HasSubstr(line));
  // 1970 would look like an old one.
  for (const char* state : {"gone", "removed"})
    EXPECT_THAT(text, Not(HasSubstr("flanks_oldest_success_timestamp_seconds{state=\"" +
                                    std::string(state))));
  EXPECT_THAT(text, Not(HasSubstr("\nflanks_last_verification_timestamp_seconds")));
}

TEST(metrics, proofs_by_product_and_outcome_and_all_their_differences) {
  const metrics m;
  mirror_gauges g = some_gauges();
  g.proofs = {{"account", "equal", 5, 0, 0, 0},
              {"account", "different", 2, 10, 20, 30},
              {"account", "failed", 1, 1, 0, 0},
              {"card", "not_verifiable", 4, 0, 0, 0}};
  g.last_verification = instant{std::chrono::seconds{1700000000}};
  const std::string text = m.text({true, &g}, {}, {});
  for (const char* line :
       {"flanks_verifications{product=\"account\",outcome=\"equal\"} 5\n",
        "flanks_verifications{product=\"account\",outcome=\"different\"} 2\n",
        "flanks_verifications{product=\"account\",outcome=\"failed\"} 1\n",
        "flanks_verifications{product=\"card\",outcome=\"not_verifiable\"} 4\n",
        "flanks_verifications{product=\"card\",outcome=\"equal\"} 0\n",
        "flanks_verification_differences{product=\"account\",kind=\"missing\"} 11\n",
        "flanks_verification_differences{product=\"account\",kind=\"extra\"} 20\n",
        "flanks_verification_differences{product=\"account\",kind=\"altered\"} 30\n",
        "flanks_verification_differences{product=\"card\",kind=\"missing\"} 0\n",
        "flanks_last_verification_timestamp_seconds 1700000000\n"})
    EXPECT_THAT(text, HasSubstr(line));
}

TEST(metrics, of_a_database_that_is_down_only_that_is_told) {
  const metrics m;
  const mirror_gauges g = some_gauges();
  const std::string text = m.text({false, &g}, {}, {});
  EXPECT_THAT(text, HasSubstr("flanks_database_up 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("\nflanks_credentials")));
  EXPECT_THAT(text, HasSubstr("# TYPE flanks_credentials gauge\n"));
  EXPECT_THAT(text, HasSubstr("flanks_rows_total"));
}

TEST(metrics, of_a_schema_that_does_not_fit_the_hint_is_that_of_readiness) {
  const metrics m;
  daemon_view daemon;
  daemon.problems = {{"schema", grade::fail, "the database is newer than this program",
                      "install the newer version of flanks-sync", "database_schema"}};
  const std::string text = m.text({}, {}, daemon);
  EXPECT_THAT(text, HasSubstr("hint=\"install the newer version of flanks-sync\""));
  EXPECT_THAT(text, Not(HasSubstr("migrate up")));
}

TEST(metrics, runs_by_trigger_and_rows_by_table) {
  metrics m;
  run_record window = window_of(product::card, outcome::ok, seven());
  window.why = trigger::sweep;
  m.count(window);
  product_run list;
  list.what = product_kind::liability;
  list.counts = seven();
  m.count(list);
  const std::string text = m.text({}, {}, {});
  for (const char* line :
       {"flanks_runs_total{outcome=\"ok\",trigger=\"sweep\"} 1\n",
        "flanks_runs_total{outcome=\"ok\",trigger=\"schedule\"} 1\n",
        "flanks_runs_total{outcome=\"failed\",trigger=\"backfill\"} 0\n",
        "flanks_rows_written_total{operation=\"insert\",table=\"transactions\"} 1\n",
        "flanks_rows_written_total{operation=\"update\",table=\"transactions\"} 2\n",
        "flanks_rows_written_total{operation=\"remove\",table=\"liabilities\"} 6\n",
        "flanks_rows_written_total{operation=\"insert\",table=\"holders\"} 0\n"})
    EXPECT_THAT(text, HasSubstr(line));
}

TEST(metrics, pauses_and_waits_are_told_and_no_pause_is_zero) {
  metrics m;
  rate_totals r;
  for (const char* line :
       {"# TYPE flanks_provider_pauses_total counter\nflanks_provider_pauses_total 0\n",
        "# TYPE flanks_provider_pause_end_timestamp_seconds gauge\n"
        "flanks_provider_pause_end_timestamp_seconds 0\n",
        "flanks_rate_limit_wait_seconds_count 0\n"})
    EXPECT_THAT(m.text({}, r, {}), HasSubstr(line));
  r.pauses = 3;
  r.paused_until = std::chrono::system_clock::time_point{std::chrono::seconds{4'000'000'000}};
  m.waited(std::chrono::milliseconds{12'500});
  m.waited(std::chrono::milliseconds{500});
  const std::string text = m.text({}, r, {});
  for (const char* line : {"flanks_provider_pauses_total 3\n",
                           "flanks_provider_pause_end_timestamp_seconds 4000000000\n",
                           "flanks_rate_limit_wait_seconds_sum 13\n",
                           "flanks_rate_limit_wait_seconds_bucket{le=\"1\"} 1\n",
                           "flanks_rate_limit_wait_seconds_bucket{le=\"15\"} 2\n"})
    EXPECT_THAT(text, HasSubstr(line));
  r.paused_until = std::chrono::system_clock::now() - std::chrono::seconds{1};
  EXPECT_THAT(m.text({}, r, {}), HasSubstr("flanks_provider_pause_end_timestamp_seconds 0\n"));
}

TEST(metrics, requests_by_endpoint_and_code_and_the_access_token) {
  metrics m;
  request_observer& told = m.requests();
  EXPECT_THAT(m.text({}, {}, {}), HasSubstr("flanks_access_token_expiry_timestamp_seconds 0\n"));
  told.ended("/v0/token", 200, std::chrono::milliseconds{30});
  told.ended("/v0/token", 0, std::chrono::seconds{3});
  told.retried("/v0/token", retry_cause::paused);
  told.token_failed();
  told.token_came(std::chrono::hours{1});
  const std::string text = m.text({}, {}, {});
  for (const char* line :
       {"flanks_http_request_duration_seconds_count{code=\"200\",endpoint=\"/v0/token\"} 1\n",
        "flanks_http_request_duration_seconds_bucket{code=\"200\",endpoint=\"/v0/"
        "token\",le=\"0.025\"} 0\n",
        "flanks_http_request_duration_seconds_bucket{code=\"200\",endpoint=\"/v0/"
        "token\",le=\"0.05\"} 1\n",
        "flanks_http_request_duration_seconds_sum{code=\"none\",endpoint=\"/v0/token\"} 3\n",
        "flanks_http_request_duration_seconds_count{code=\"200\",endpoint=\"/v0/bank/available\"} "
        "0\n",
        "flanks_http_retries_total{cause=\"paused\",endpoint=\"/v0/token\"} 1\n",
        "flanks_http_retries_total{cause=\"failed\",endpoint=\"/v0/token\"} 0\n",
        "flanks_token_refreshes_total{outcome=\"ok\"} 1\n",
        "flanks_token_refreshes_total{outcome=\"failed\"} 1\n"})
    EXPECT_THAT(text, HasSubstr(line));
  EXPECT_THAT(text, Not(HasSubstr("flanks_access_token_expiry_timestamp_seconds 0\n")));
  told.token_came(std::nullopt);
  EXPECT_THAT(m.text({}, {}, {}), HasSubstr("flanks_access_token_expiry_timestamp_seconds 0\n"));
}

TEST(metrics, statements_by_name_and_pools_that_come_and_go) {
  metrics m;
  db_observer& told = m.database();
  told.changed("workers", pool_figure::connections, 4);
  told.changed("workers", pool_figure::in_use, 3);
  told.changed("workers", pool_figure::waiting, 2);
  told.changed("workers", pool_figure::waiting, -1);
  told.changed("retention", pool_figure::connections, 2);
  told.changed("retention", pool_figure::connections, -2);
  told.had_connection("workers", std::chrono::milliseconds{20});
  told.ran("claim_due", std::chrono::milliseconds{5});
  told.ran("claim_due", std::chrono::milliseconds{50});
  const std::string text = m.text({}, {}, {});
  for (const char* line :
       {"flanks_database_pool_connections{pool=\"workers\"} 4\n",
        "flanks_database_pool_connections{pool=\"retention\"} 0\n",
        "flanks_database_pool_connections_in_use{pool=\"workers\"} 3\n",
        "flanks_database_jobs_waiting{pool=\"workers\"} 1\n",
        "flanks_database_jobs_waiting{pool=\"retention\"} 0\n",
        "flanks_database_pool_wait_seconds_bucket{pool=\"workers\",le=\"0.01\"} 0\n",
        "flanks_database_pool_wait_seconds_bucket{pool=\"workers\",le=\"0.1\"} 1\n",
        "flanks_database_statement_duration_seconds_count{statement=\"claim_due\"} 2\n",
        "flanks_database_statement_duration_seconds_bucket{statement=\"claim_due\",le=\"0.01\"} "
        "1\n"})
    EXPECT_THAT(text, HasSubstr(line));
}

}  // namespace
