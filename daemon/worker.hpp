// One credential under its lease: keeps the lease alive while the story is told, then gives it
// back.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <optional>

#include "daemon/log.hpp"
#include "daemon/task_group.hpp"
#include "sync/health.hpp"
#include "sync/mirror.hpp"

namespace flanks {

// After a stop: how long what is in hand may go on before it is abandoned.
inline constexpr std::chrono::seconds stop_grace{20};

struct worker_tools {
  boost::asio::any_io_executor executor;
  mirror_tools mirror;
  log& events;
  std::chrono::seconds lease;  // how long a claim lasts without being renewed (config: sync.lease)
  // Learns from every credential how the provider is doing; none for commands that were told what
  // to fetch.
  provider_health* health = nullptr;
};

// The clock of the process, its waits on `executor`.
[[nodiscard]] std::unique_ptr<engine_clock> make_clock(boost::asio::any_io_executor executor);

// Runs `work` while the credential's lease, which it renews, is held. Cancels it and gives false
// when the lease was lost, or ran out by our own steady clock before the database said that it was
// renewed (promise P12: then another worker may ask the provider for the credential). Rethrows what
// it throws.
[[nodiscard]] boost::asio::awaitable<bool> under_lease(worker_tools tools,
                                                       claimed_credential credential,
                                                       boost::asio::awaitable<void> work);

// Logs every run as it ends, one line each; the base of the observers of the commands. What goes
// well is logged at `good`: the daemon's log tells of every run, a command that prints a summary
// only of what goes wrong. A list of products without anything new, and what was not asked for, is
// logged at debug.
class logging_observer : public mirror_observer {
 public:
  logging_observer(log& events, config::log_level good) : events_(events), good_(good) {}
  void received(std::int64_t elements) override;
  void ended(const run_record& record) override;
  void listed(const product_run& run) override;
  void unrecorded(credential_id id, const failure& f) override;
  void odd_status(credential_id id, const std::vector<std::string>& clauses) override;
  void stale(credential_id id, instant refreshed) override;
  void succession_open(credential_id id, const succession_pair& p) override;

 private:
  log& events_;
  config::log_level good_;
};

// Mirrors one claimed credential and releases its lease, which it keeps alive meanwhile and never
// outlives. Nothing when it was cancelled: the lease is given back and the credential stays due.
[[nodiscard]] boost::asio::awaitable<std::optional<credential_report>> work(worker_tools tools,
                                                                            assignment job);

// Reads the list of banks when that is due; logs a failure.
[[nodiscard]] boost::asio::awaitable<void> refresh_banks(worker_tools tools);

}  // namespace flanks
