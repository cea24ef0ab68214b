// What the daemon shows of itself: /metrics, /-/healthy, /-/ready, and the status page
// (daemon/web/). Everything about HTTP is in daemon/admin_listener.hpp.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "daemon/admin_listener.hpp"
#include "daemon/admin_password.hpp"
#include "daemon/log.hpp"
#include "daemon/metrics.hpp"
#include "daemon/shared_reading.hpp"
#include "daemon/web/status_pages.hpp"
#include "sync/finding.hpp"
#include "sync/gauges.hpp"

namespace flanks {

// What the pages are made of; must outlive them.
struct admin_sources {
  const metrics& counted;
  const rate_totals& rates;
  gauge_source& database;
  // Why the daemon itself is not ready; empty when it is. Names nobody.
  std::function<std::vector<finding>()> trouble;
  // What is told of the daemon itself; `ready` is found here.
  std::function<daemon_view()> daemon;
  page_source& pages;
  // The database answers, though `trouble` says that it did not: worth another look.
  std::function<void()> database_answers;
  // What the status page says of the process.
  std::function<web::daemon_facts()> facts;
  secret password;  // of everything but /-/healthy and /-/ready; empty: nobody is asked
};

class admin {
 public:
  // Listens at once, at `where.listen` (not "none"). Throws std::system_error when the address
  // cannot be had.
  admin(const boost::asio::any_io_executor& executor, const config::admin_settings& where,
        admin_sources sources, log& events);

  // Until cancelled; then ends what is under way: 2 s for answers, 30 s for the database.
  boost::asio::awaitable<void> serve();
  [[nodiscard]] const std::string& where() const { return listener_->where(); }

 private:
  boost::asio::awaitable<admin_answer> page(admin_request request);
  web::mirror_view known_from(const std::optional<shared_reading<finding>::answer>& schema);
  std::vector<finding> reasons(const std::optional<shared_reading<finding>::answer>& schema);
  boost::asio::awaitable<admin_answer> readiness();
  boost::asio::awaitable<admin_answer> scrape();
  boost::asio::awaitable<admin_answer> status_page(admin_request request);

  boost::asio::awaitable<mirror_gauges> read_gauges();

  void note(const std::optional<failure>& trouble);
  void note_wrong_password(const std::string& from);

  admin_sources sources_;
  log& events_;
  admin_password password_;
  web::status_pages pages_;
  int waiting_ = 0;                                     // visits that wait for a page
  std::int64_t wrong_passwords_ = 0;                    // since it was last told
  std::chrono::steady_clock::time_point told_wrong_{};  // when that was
  std::string trouble_;  // why the gauges could not be read the last time
  shared_reading<finding> schema_;
  shared_reading<mirror_gauges> gauges_;
  std::chrono::steady_clock::time_point gauges_due_{};  // not read before
  std::unique_ptr<admin_listener> listener_;
};

}  // namespace flanks
