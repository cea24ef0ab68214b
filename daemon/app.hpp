// The composition root: from a configuration file to the things that commands work with.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string_view>

#include "config/load.hpp"
#include "config/secret_file.hpp"
#include "daemon/command_line.hpp"
#include "daemon/exit_code.hpp"
#include "daemon/log.hpp"
#include "daemon/metrics.hpp"
#include "daemon/rate_log.hpp"
#include "db/pg/options.hpp"
#include "sync/clock.hpp"
#include "sync/flanks/api.hpp"
#include "sync/schedule.hpp"
#include "sync/store.hpp"

namespace flanks {

// Ends a command: what is printed to standard error, and the exit code.
class refusal : public std::runtime_error {
 public:
  refusal(exit_code c, const std::string& message, std::string what_to_do = "")
      : std::runtime_error(message), code(c), hint(std::move(what_to_do)) {}
  exit_code code;
  std::string hint;
};

// A configuration file without mistakes, and the secrets that it names.
struct configuration {
  std::string command;  // that reads it, as in pg_stat_activity.application_name
  config::loaded file;
  config::secrets secrets;

  [[nodiscard]] const config::settings& values() const { return file.values; }
};

// Reads both. Throws refusal (exit 78) whose message lists every mistake with its place, a line
// each.
[[nodiscard]] configuration configure(const invocation& asked, config::secret_scope scope);

// Without keys, and without a rate that others share.
[[nodiscard]] api_options provider_options_of(const configuration& c);
// For token_seal, the one that seals first; none: tokens are not sealed.
[[nodiscard]] std::vector<secret> token_keys(const configuration& c);
[[nodiscard]] db_options database_options(const configuration& c);
// Tells the connections of one process apart in pg_stat_activity.application_name: "flanks-sync run
// workers". A dsn that has an application_name of its own keeps it.
[[nodiscard]] db_options named(db_options options, std::string_view use);
[[nodiscard]] sync_policy policy_of(const config::settings& s);
[[nodiscard]] std::unique_ptr<log> log_of(const invocation& asked, const configuration& c);

// Refuses (exit 78) a schema that this binary does not fit. For whatever writes: what only reads
// says by itself when it cannot.
void require_schema(const configuration& c);

class moving_keys;
class engine;

// For whatever fetches. Applies what the schema lacks when `migrate` or database.migrate says so;
// refuses one that does not fit then, and keys that open none of the tokens that are sealed.
void require_database(const engine& e, bool migrate);

// The event loop and what lives on it. Connections outlive the loop's work.
class engine {
 public:
  engine(const invocation& asked, configuration c);
  ~engine();

  // Runs `story` to its end; rethrows what it throws. The first SIGINT or SIGTERM calls `stop`, the
  // second one ends the process at once. SIGHUP calls `reload`.
  void run(boost::asio::awaitable<void> story, std::function<void()> stop,
           std::function<void()> reload = {});
  // The signal that stopped it; 0 when none did.
  [[nodiscard]] int caught() const { return caught_; }
  [[nodiscard]] exit_code interrupted_code() const;

  configuration settings;
  std::unique_ptr<log> events;
  metrics counted;
  rate_log rates;
  sync_policy policy;

 private:
  boost::asio::awaitable<void> watch_signals(std::function<void()> stop);
  boost::asio::awaitable<void> watch_reloads(std::function<void()> reload);
  boost::asio::awaitable<void> tell(boost::asio::awaitable<void> story);

  boost::asio::io_context loop_{1};
  int caught_ = 0;
  // Of a daemon, from the beginning: a SIGHUP that comes before the loop runs waits for it.
  std::unique_ptr<boost::asio::signal_set> reloads_;

 public:
  boost::asio::any_io_executor executor;
  std::unique_ptr<engine_clock> clock;
  db_options database;  // its login is that of every connection of this process
  std::shared_ptr<moving_keys> keys;
  std::unique_ptr<store> db;
  std::unique_ptr<rate_grants> rate;
  std::unique_ptr<provider_client> api;
};

}  // namespace flanks
