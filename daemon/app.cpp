#include "daemon/app.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>

#include "daemon/moving_secrets.hpp"
#include "daemon/task_group.hpp"
#include "daemon/worker.hpp"
#include "db/commands/migrate.hpp"
#include "db/pg/dsn.hpp"
#include "db/pg_store.hpp"
#include "db/rate_grants.hpp"
#include "db/token_seal.hpp"
#include "sync/flanks/api.hpp"

namespace flanks {

namespace asio = boost::asio;

namespace {

[[noreturn]] void refuse(const std::vector<config::mistake>& mistakes) {
  std::string text;
  for (const config::mistake& m : mistakes)
    text += (text.empty() ? "" : "\n") + config::to_string(m);
  const bool one = mistakes.size() == 1;
  throw refusal(
      exit_code::configuration,
      one ? text : fmt::format("the configuration has {} mistakes:\n{}", mistakes.size(), text),
      text.find("config example") == std::string::npos
          ? "flanks-sync config example prints every key with its meaning"
          : "flanks-sync config check says when all is right");  // a mistake has named the other
}

db_options observed(db_options options, db_observer& observer) {
  options.observer = &observer;
  return options;
}

api_options options_of(const configuration& c, std::shared_ptr<key_source> keys, rate_grants& rate,
                       rate_observer& waits, request_observer& requests) {
  api_options o = provider_options_of(c);
  o.keys = std::move(keys);
  o.rate = &rate;
  o.waits = &waits;
  o.requests = &requests;
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
  c.command = asked.name;
  c.file = config::load(asked.config, environment);
  config::opened secrets = config::read_secrets(c.file, environment, scope);
  std::vector<config::mistake> mistakes = c.file.mistakes;
  mistakes.insert(mistakes.end(), secrets.mistakes.begin(), secrets.mistakes.end());
  ask_libpq(c.file, mistakes);
  if (!mistakes.empty()) refuse(mistakes);
  c.secrets = std::move(secrets.values);
  return c;
}

api_options provider_options_of(const configuration& c) {
  const config::settings& s = c.values();
  api_options o;
  static_cast<provider_options&>(o) = s.flanks;
  o.ca_file = config::ca_file(c.file).string();
  o.retry.tries = s.sync.tries;
  o.source = s.sync.from;
  o.query = canonical_members(s.sync.query);
  o.limits = s.limits;
  o.user_agent = "flanks-sync/" FLANKS_SYNC_VERSION;
  return o;
}

std::vector<secret> token_keys(const configuration& c) {
  std::vector<secret> keys;
  for (const secret* k : {&c.secrets.encryption_key, &c.secrets.previous_key})
    if (!k->empty()) keys.push_back(*k);
  return keys;
}

db_options database_options(const configuration& c) {
  const config::settings& s = c.values();
  const config::database_settings& from = s.database;
  return db_options{
      .login = std::make_shared<login_source>(login_of(c)),
      .connections = from.connections,
      // As many as can be fetched at once, and three for each connection to be written meanwhile.
      .open_windows = s.flanks.max_connections + 3 * from.connections,
      .connect_timeout = from.connect_timeout,
      .statement_timeout = std::chrono::ceil<std::chrono::seconds>(from.statement_timeout),
      .lock_timeout = std::chrono::ceil<std::chrono::seconds>(from.lock_timeout),
      // A daemon that stands still holds what its transaction has locked no longer than its lease.
      .idle_in_transaction_timeout = s.sync.lease,
      .lease_time = s.sync.lease,
      .handover_after = s.sync.handover_after,
      .query = canonical_members(s.sync.query),
      .limits = s.limits,
      .seal = std::make_shared<token_seal>(token_keys(c)),
      .application_name = c.command.empty() ? "flanks-sync" : "flanks-sync " + c.command,
  };
}

db_options named(db_options options, std::string_view use) {
  options.application_name += fmt::format(" {}", use);
  return options;
}

sync_policy policy_of(const config::settings& s) {
  return sync_policy{s.sync,
                     s.sync.product_details,
                     {s.sync.removal_threshold_percent, s.sync.removal_threshold_rows},
                     s.sync.stale_after};
}

std::unique_ptr<log> log_of(const invocation& asked, const configuration& c) {
  return make_log(asked.level.value_or(c.values().log.level), c.values().log.format);
}

engine::engine(const invocation& asked, configuration c)
    : settings(std::move(c)),
      events(log_of(asked, settings)),
      rates(*events, counted),
      policy(policy_of(settings.values())),
      executor(loop_.get_executor()),
      clock(make_clock(executor)),
      database(observed(database_options(settings), counted.database())),
      keys(make_moving_keys(executor, settings)),
      db(make_store(executor, named(database, "workers"))),
      rate(make_rate_grants(executor, named(database, "rate limit"))),
      api(make_flanks_api(executor, options_of(settings, keys, *rate, rates, counted.requests()))) {
  if (asked.what == command::run) reloads_ = std::make_unique<asio::signal_set>(executor, SIGHUP);
}

engine::~engine() = default;

void engine::run(asio::awaitable<void> story, std::function<void()> stop,
                 std::function<void()> reload) {
  task_group group(executor);
  task_group signals(executor);
  std::exception_ptr error;
  signals.spawn(watch_signals(std::move(stop)));
  if (reloads_) signals.spawn(watch_reloads(std::move(reload)));
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

asio::awaitable<void> engine::watch_reloads(std::function<void()> reload) {
  for (;;) {
    co_await reloads_->async_wait(asio::use_awaitable);
    reload();
  }
}

// timeout(1), sudo and a terminal's process group may deliver one request twice, within
// milliseconds of each other: a signal so soon after the first one is not a second request.
constexpr std::chrono::milliseconds one_request{250};

asio::awaitable<void> engine::watch_signals(std::function<void()> stop) {
  asio::signal_set signals(executor, SIGINT, SIGTERM);
  std::chrono::steady_clock::time_point first;
  for (;;) {
    const int signal = co_await signals.async_wait(asio::use_awaitable);
    const auto now = std::chrono::steady_clock::now();
    if (caught_ != 0) {
      if (now - first < one_request) continue;
      _exit(128 + signal);  // asked twice: now means now; leases run out by themselves
    }
    caught_ = signal;
    first = now;
    events->info(event::stopping, {{"signal", signal == SIGINT ? "SIGINT" : "SIGTERM"}});
    stop();
  }
}

exit_code engine::interrupted_code() const {
  return caught_ == SIGINT ? exit_code::interrupted : exit_code::terminated;
}

exit_code exit_code_of(stage at, std::string_view error_class) {
  for (const std::string_view name :
       {"token_refused", "database_auth", "database_rights", "database_row_security"}) {
    if (error_class == name) return exit_code::not_permitted;
  }
  // What was named on the command line does not exist: nothing is wrong with the configuration.
  if (error_class == "review_busy") return exit_code::try_again;
  if (error_class.starts_with("unknown_") || error_class == "bad_credential" ||
      error_class == "erased_credential" || error_class == "database_value")
    return exit_code::failed;
  if (at == stage::configuration || error_class == "sealed_token" ||
      error_class == "database_schema" || error_class == "schema_newer" ||
      error_class == "schema_changed")
    return exit_code::configuration;
  if (error_class == "database_lock_timeout" || error_class == "migration_locked" ||
      error_class == "claim_locked") {
    return exit_code::try_again;
  }
  return exit_code::unavailable;
}

exit_code exit_code_of(const failure& f) {
  return exit_code_of(f.stage, f.error_class);
}

}  // namespace flanks
