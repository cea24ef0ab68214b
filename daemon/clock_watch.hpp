// Compares this machine's clock with the provider's (the Date of its answers) and the database's,
// and says when they are apart: in the log, to the database (flanks.mirror_problems) and to whoever
// asks here.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <optional>

#include "daemon/log.hpp"
#include "daemon/metrics.hpp"
#include "daemon/problem_teller.hpp"
#include "sync/finding.hpp"
#include "sync/store.hpp"

namespace flanks {

class clock_watch {
 public:
  // All of them must outlive it.
  clock_watch(store& db, const metrics& counted, log& events)
      : db_(db), counted_(counted), events_(events), teller_(db, events, mirror_problem::clock) {}

  // To be called again and again; the database is asked once a minute. Does not fail: a database
  // that does not answer is told by the scheduler.
  boost::asio::awaitable<void> look();

  // Error class clock_apart; nothing while the clocks agree, or were not compared yet.
  [[nodiscard]] const std::optional<failure>& trouble() const { return trouble_; }
  [[nodiscard]] std::optional<std::chrono::seconds> provider_ahead() const {
    return counted_.provider_ahead();
  }
  [[nodiscard]] std::optional<std::chrono::seconds> database_ahead() const {
    return database_ahead_;
  }

 private:
  boost::asio::awaitable<void> ask_database();
  void judge();

  store& db_;
  const metrics& counted_;
  log& events_;
  problem_teller teller_;
  std::optional<std::chrono::seconds> database_ahead_;
  std::chrono::steady_clock::time_point asked_{};
  std::chrono::seconds told_{0};  // by how much, in trouble_
  std::optional<failure> trouble_;
};

}  // namespace flanks
