// Where the database is and who we are there, for every connection that is opened. A reload of the
// configuration replaces it: connections that are open then are superseded, and closed as soon as
// nobody needs them.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "sync/secret.hpp"

namespace flanks {

struct login {
  std::string dsn;  // a libpq conninfo or URI; what it leaves out comes from libpq's environment
  // Asked at each connect, on the thread that connects; may throw `failure`. Without one, or when
  // it gives nothing: whatever the dsn or libpq finds by itself.
  std::function<secret()> password;
};

// Any thread may ask for the current one.
class login_source {
 public:
  explicit login_source(login first) : current_(std::move(first)) {}

  struct version {
    login who;
    std::uint64_t number = 0;
  };
  [[nodiscard]] version current() const {
    const std::lock_guard hold(mutex_);
    return {current_, number_.load()};
  }
  // Of the newest one, counted from 1.
  [[nodiscard]] std::uint64_t number() const { return number_.load(); }

  // The rest on one thread, that of the event loop. `notice` runs after each replace(), until its
  // handle is destroyed.
  using handle = std::shared_ptr<const std::function<void()>>;
  [[nodiscard]] handle when_replaced(std::function<void()> notice) {
    auto made = std::make_shared<const std::function<void()>>(std::move(notice));
    std::erase_if(notices_, [](const auto& n) { return n.expired(); });
    notices_.push_back(made);
    return made;
  }
  void replace(login next) {
    {
      const std::lock_guard hold(mutex_);
      current_ = std::move(next);
      ++number_;
    }
    for (const auto& notice : notices_)
      if (const handle still = notice.lock()) (*still)();
  }

 private:
  mutable std::mutex mutex_;
  login current_;
  std::atomic<std::uint64_t> number_{1};
  std::vector<std::weak_ptr<const std::function<void()>>> notices_;
};

// One that never changes. An empty password: none of ours.
[[nodiscard]] inline std::shared_ptr<login_source> fixed_login(std::string dsn,
                                                               secret password = {}) {
  login who{std::move(dsn), nullptr};
  if (!password.empty()) who.password = [password = std::move(password)] { return password; };
  return std::make_shared<login_source>(std::move(who));
}

}  // namespace flanks
