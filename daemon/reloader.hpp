// Reads the configuration and every secret again while the daemon runs (SIGHUP), and keeps which
// settings are in effect. What a reload changes at all is in daemon/reload.
#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <functional>
#include <optional>

#include "daemon/app.hpp"
#include "daemon/command_line.hpp"
#include "db/commands/stored_settings.hpp"
#include "sync/failure.hpp"

namespace flanks {

class reloader {
 public:
  // `asked` and `e` must outlive it. `applied` is called on the loop after each reload, whether it
  // was taken or refused.
  reloader(const invocation& asked, engine& e, std::function<void()> applied)
      : asked_(asked), engine_(e), applied_(std::move(applied)) {}

  // Returns at once; a mistake in the file, a secret that cannot be read and a database that cannot
  // be opened with the new login change nothing.
  void reload();
  // Says in the database what the last reload failed with, where status finds it; until cancelled.
  boost::asio::awaitable<void> tell_database();
  // What applications register is sealed when it is claimed; what is not claimed (a paused
  // credential) is sealed here, at the start, after a reload and once an hour. Until cancelled.
  boost::asio::awaitable<void> seal_hourly();
  // What runs on the thread of reload() ends soon.
  void stop() { ending_ = true; }

  [[nodiscard]] const config::settings& in_effect() const { return in_effect_; }
  // Why the last reload was refused; nothing when it was taken.
  [[nodiscard]] const std::optional<failure>& trouble() const { return trouble_; }
  // Since when the configuration is in effect.
  [[nodiscard]] std::chrono::system_clock::time_point configured_at() const {
    return configured_at_;
  }

 private:
  void take(const configuration& fresh);
  void refuse(const failure& f);
  void apply(const config::settings& s);
  void seal_tokens();
  void retry_refused();

  const invocation& asked_;
  engine& engine_;
  std::function<void()> applied_;
  config::settings in_effect_ = engine_.settings.values();
  config::settings loaded_ = engine_.settings.values();  // the last that was taken
  config::secrets secrets_ = engine_.settings.secrets;   // of the last that was taken
  std::optional<failure> trouble_;
  std::chrono::system_clock::time_point configured_at_ = std::chrono::system_clock::now();
  std::atomic<bool> ending_ = false;    // for what runs on thread_
  boost::asio::thread_pool thread_{1};  // a database may take its time; joined first of all
};

// Says that tokens were sealed, where there were any.
void tell_sealed(log& events, std::int64_t tokens);

// What the database keeps of the settings.
[[nodiscard]] stored_settings stored(const config::settings& s);

}  // namespace flanks
