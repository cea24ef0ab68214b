// Tells the database what keeps the whole mirror from its work, so that status finds it there.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <optional>
#include <string>

#include "daemon/log.hpp"
#include "sync/store.hpp"

namespace flanks {

class problem_teller {
 public:
  // Both must outlive it.
  problem_teller(store& db, log& events, mirror_problem which)
      : db_(db), events_(events), which_(which) {}

  // Writes when it has changed, and once a minute while it lasts; nothing in `now`: it is over.
  // The first call always writes: a daemon before us may have left something. What the database
  // cannot take is told again at the next call.
  boost::asio::awaitable<void> tell(std::optional<failure> now);

 private:
  struct told {
    std::optional<std::string> error;
    std::chrono::steady_clock::time_point at;
  };

  store& db_;
  log& events_;
  mirror_problem which_;
  std::optional<told> before_;
};

}  // namespace flanks
