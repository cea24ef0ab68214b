// A default is said once: what the configuration leaves out is what the engine does by itself.
#include <gtest/gtest.h>

#include "config/settings.hpp"
#include "daemon/app.hpp"
#include "sync/flanks/pacer.hpp"
#include "sync/verify.hpp"

namespace flanks {
namespace {

using namespace std::chrono_literals;

TEST(defaults, the_policy_of_an_empty_configuration_is_the_default_policy) {
  EXPECT_EQ(policy_of(config::settings{}), sync_policy{});
}

TEST(defaults, every_setting_reaches_the_policy) {
  config::settings s;
  s.sync.products = {product::card};
  s.sync.product_details = {product_kind::holder};
  s.sync.history_months = 7;
  s.sync.interval = 8h;
  s.sync.polls_per_day = 7;
  s.sync.overlap = std::chrono::days{9};
  s.sync.sweep_interval = 10h;
  s.sync.recent_sweep_interval = 11h;
  s.sync.recent_sweep_days = std::chrono::days{12};
  s.sync.tries = 4;
  s.sync.removal_threshold_percent = 13;
  s.sync.removal_threshold_rows = 14;
  const sync_policy p = policy_of(s);
  EXPECT_EQ(p.products, s.sync.products);
  EXPECT_EQ(p.product_kinds, s.sync.product_details);
  EXPECT_EQ(p.history_months, 7);
  EXPECT_EQ(p.interval, 8h);
  EXPECT_EQ(p.polls_per_day, 7);
  EXPECT_EQ(p.overlap, std::chrono::days{9});
  EXPECT_EQ(p.sweep_interval, 10h);
  EXPECT_EQ(p.recent_sweep_interval, 11h);
  EXPECT_EQ(p.recent_sweep_days, std::chrono::days{12});
  EXPECT_EQ(p.tries, 4);
  EXPECT_EQ(p.removals, (removal_limits{13, 14}));
}

TEST(defaults, every_setting_reaches_the_database) {
  configuration c;
  config::settings& s = c.file.values;
  s.database.dsn = "dbname=x";
  s.database.connections = 3;
  s.database.connect_timeout = 4s;
  s.database.statement_timeout = 5500ms;
  s.database.lock_timeout = 6s;
  s.flanks.max_connections = 7;
  s.sync.lease = 8s;
  s.sync.handover_after = 9s;
  s.limits.bank_name_bytes = 99;
  const db_options o = database_options(c);
  EXPECT_EQ(o.login->current().who.dsn, "dbname=x");
  EXPECT_EQ(o.connections, 3);
  EXPECT_EQ(o.open_windows, 16);
  EXPECT_EQ(o.connect_timeout, 4s);
  EXPECT_EQ(o.statement_timeout, 6s);
  EXPECT_EQ(o.lock_timeout, 6s);
  EXPECT_EQ(o.idle_in_transaction_timeout, 8s);
  EXPECT_EQ(o.lease_time, 8s);
  EXPECT_EQ(o.handover_after, 9s);
  EXPECT_EQ(o.limits.bank_name_bytes, 99);
}

TEST(defaults, tries_of_a_request_of_a_window_and_of_a_proof_are_the_same) {
  EXPECT_EQ(config::settings{}.sync.tries, retry_policy{}.tries);
  EXPECT_EQ(proof_request{}.tries, retry_policy{}.tries);
}

TEST(defaults, the_rate_limit_waits_for_its_database_as_long_as_the_client_says) {
  EXPECT_EQ(pacer_timeouts{}.grant, api_timeouts{}.rate_grant);
}

}  // namespace
}  // namespace flanks
