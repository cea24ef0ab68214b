#include "daemon/app.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>

#include "daemon/task_group.hpp"
#include "daemon/worker.hpp"
#include "db/dsn.hpp"
#include "db/migrate.hpp"
#include "db/pg_store.hpp"
#include "db/rate_grants.hpp"
#include "sync/flanks/api.hpp"

namespace flanks {

namespace asio = boost::asio;

namespace {

[[noreturn]] void refuse(const std::vector<config::mistake>& mistakes) {
  std::string text;
  for (const config::mistake& m : mistakes)
    text += (text.empty() ? "" : "\n") + config::to_string(m);
  throw config_refusal(exit_code::configuration, text,
                       "flanks-sync config example prints every key with its meaning");
}

api_options provider_options(const configuration& c, rate_grants& rate, rate_observer& waits) {
  const config::provider_settings& from = c.values().flanks;
  api_options o;
  o.base_url = from.base_url;
  o.grant_type =
      from.grant_type == config::grant::password ? grant::password : grant::client_credentials;
  o.client_id = from.client_id;
  o.client_secret = c.secrets.client_secret;
  o.username = from.username;
  o.password = c.secrets.password;
  o.ca_file = config::ca_file(c.file).string();
  o.max_connections = from.max_connections;
  o.requests_per_second = from.requests_per_second;
  o.rate = &rate;
  o.waits = &waits;
  o.max_response_bytes = static_cast<std::int64_t>(from.max_response_bytes);
  o.timeouts.resolve = from.timeouts.resolve;
  o.timeouts.connect = from.timeouts.connect;
  o.timeouts.tls = from.timeouts.tls;
  o.timeouts.first_byte = from.timeouts.first_byte;
  o.timeouts.idle = from.timeouts.idle;
  o.timeouts.total = from.timeouts.total;
  o.retry.tries = c.values().sync.tries;
  o.source =
      c.values().sync.from == config::source::v2 ? transaction_source::v2 : transaction_source::v1;
  o.query = canonical_members(c.values().sync.query);
  o.limits = c.values().limits;
  o.user_agent = "flanks-sync/" FLANKS_SYNC_VERSION;
  return o;
}

// That of a connection string alone that is right as far as config/ can tell.
void ask_libpq(const config::loaded& file, std::vector<config::mistake>& mistakes) {
  if (file.values.database.dsn.empty()) return;
  const std::string objection = dsn_objection(file.values.database.dsn);
  if (objection.empty()) return;
  mistakes.push_back({file.file.string(), file.places.at("database.dsn"), "database.dsn", objection,
                      "a newer one may know what it uses"});
}

}  // namespace

configuration configure(const invocation& asked, config::secret_scope scope) {
  const config::environment environment = config::process_environment();
  configuration c;
  c.file = config::load(asked.config, environment);
  config::opened secrets = config::read_secrets(c.file, environment, scope);
  std::vector<config::mistake> mistakes = c.file.mistakes;
  mistakes.insert(mistakes.end(), secrets.mistakes.begin(), secrets.mistakes.end());
  ask_libpq(c.file, mistakes);
  if (!mistakes.empty()) refuse(mistakes);
  c.secrets = std::move(secrets.values);
  return c;
}

db_options database_options(const configuration& c) {
  const config::database_settings& from = c.values().database;
  db_options o;
  o.dsn = from.dsn;
  o.password = c.secrets.database_password;
  o.connections = from.connections;
  // As many as can be fetched at once, and three for each connection to be written meanwhile.
  o.open_windows = c.values().flanks.max_connections + 3 * from.connections;
  o.connect_timeout = from.connect_timeout;
  o.statement_timeout = std::chrono::ceil<std::chrono::seconds>(from.statement_timeout);
  o.lock_timeout = std::chrono::ceil<std::chrono::seconds>(from.lock_timeout);
  o.lease_time = c.values().sync.lease;
  // A daemon that stands still holds what its transaction has locked no longer than its lease.
  o.idle_in_transaction_timeout = c.values().sync.lease;
  o.limits = c.values().limits;
  o.query = canonical_members(c.values().sync.query);
  return o;
}

sync_policy policy_of(const config::settings& s) {
  sync_policy p;
  p.products = s.sync.products;
  p.product_kinds = s.sync.product_details;
  p.history_months = s.sync.history_months;
  p.interval = s.sync.interval;
  p.overlap = s.sync.overlap;
  p.sweep_interval = s.sync.sweep_interval;
  p.recent_sweep_interval = s.sync.recent_sweep_interval;
  p.recent_sweep_days = s.sync.recent_sweep_days;
  p.removals = {s.sync.removal_threshold_percent, s.sync.removal_threshold_rows};
  p.tries = s.sync.tries;
  p.whole_history = s.sync.from == config::source::v2;
  return p;
}

std::unique_ptr<log> log_of(const invocation& asked, const configuration& c) {
  return make_log(asked.level.value_or(c.values().log.level), c.values().log.format);
}

engine::engine(const invocation& asked, configuration c)
    : settings(std::move(c)),
      events(log_of(asked, settings)),
      rates(*events),
      policy(policy_of(settings.values())),
      executor(loop_.get_executor()),
      clock(make_clock(executor)),
      db(make_store(executor, database_options(settings))),
      rate(make_rate_grants(executor, database_options(settings))),
      api(make_flanks_api(executor, provider_options(settings, *rate, rates))) {}

engine::~engine() = default;

void engine::run(asio::awaitable<void> story, std::function<void()> stop,
                 std::function<void()> reload) {
  task_group group(executor);
  task_group signals(executor);
  std::exception_ptr error;
  signals.spawn(watch_signals(std::move(stop), std::move(reload)));
  auto whole = [&]() -> asio::awaitable<void> {
    try {
      co_await tell(std::move(story));
    } catch (...) {
      error = std::current_exception();
    }
    signals.cancel();
  };
  group.spawn(whole());
  loop_.run();
  if (error) std::rethrow_exception(error);
}

// Closing the connections to the provider belongs to the end of every story, good or bad.
asio::awaitable<void> engine::tell(asio::awaitable<void> story) {
  std::exception_ptr error;
  try {
    co_await std::move(story);
  } catch (...) {
    error = std::current_exception();
  }
  co_await api->close();
  if (error) std::rethrow_exception(error);
}

asio::awaitable<void> engine::watch_signals(std::function<void()> stop,
                                            std::function<void()> reload) {
  asio::signal_set signals(executor, SIGINT, SIGTERM);
  if (reload) signals.add(SIGHUP);
  for (;;) {
    const int signal = co_await signals.async_wait(asio::use_awaitable);
    if (signal == SIGHUP) {
      reload();
      continue;
    }
    if (caught_ != 0)
      _exit(128 + signal);  // asked twice: now means now; leases run out by themselves
    caught_ = signal;
    events->info("stopping; a second signal ends at once",
                 {{"signal", signal == SIGINT ? "SIGINT" : "SIGTERM"}});
    stop();
  }
}

exit_code engine::interrupted_code() const {
  return caught_ == SIGINT ? exit_code::interrupted : exit_code::terminated;
}

exit_code exit_code_of(const failure& f) {
  for (const std::string_view name : {"token_refused", "database_auth", "database_rights"}) {
    if (f.error_class == name) return exit_code::not_permitted;
  }
  // What was named on the command line does not exist: nothing is wrong with the configuration.
  if (f.error_class == "review_busy") return exit_code::try_again;
  if (f.error_class.starts_with("unknown_") || f.error_class == "bad_credential" ||
      f.error_class == "erased_credential" || f.error_class == "database_value")
    return exit_code::failed;
  if (f.at == stage::configuration || f.error_class == "database_schema" ||
      f.error_class == "schema_newer" || f.error_class == "schema_changed")
    return exit_code::configuration;
  if (f.error_class == "database_lock_timeout" || f.error_class == "migration_locked" ||
      f.error_class == "claim_locked") {
    return exit_code::try_again;
  }
  return exit_code::unavailable;
}

}  // namespace flanks
