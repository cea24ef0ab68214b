// The status page and its JSON twin: which path is which page, what the database is asked for it,
// and how long anybody waits for that.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "daemon/admin_listener.hpp"
#include "daemon/shared_reading.hpp"
#include "daemon/web/page_facts.hpp"

namespace flanks::web {

// What is read out of a query string: q, bank, state, sort, page. What it cannot mean is left out.
[[nodiscard]] credential_query credential_query_from(std::string_view query);

class status_pages {
 public:
  // Both must outlive it.
  status_pages(const boost::asio::any_io_executor& executor, page_source& database,
               std::function<daemon_facts()> daemon);

  // Nothing when the path is none of its own. `known`: what /-/ready
  // says; where the database cannot be asked it is not asked, and what was known is shown.
  boost::asio::awaitable<std::optional<admin_answer>> answer(admin_request request,
                                                             mirror_view known);
  [[nodiscard]] static bool is_page(std::string_view path);
  [[nodiscard]] admin_answer missing(std::string_view what) const;

  // Waits for the questions under way. Nobody may ask any more.
  boost::asio::awaitable<void> close();

 private:
  // A question whose answer somebody waits for, or no longer.
  template <class T>
  struct question;
  template <class T>
  boost::asio::awaitable<void> settle(std::shared_ptr<question<T>> into,
                                      boost::asio::awaitable<T> asking);
  template <class T>
  boost::asio::awaitable<T> in_time(boost::asio::awaitable<T> asking);
  boost::asio::awaitable<mirror_overview> read();
  [[nodiscard]] bool is_fresh() const;
  boost::asio::awaitable<mirror_view> look(mirror_view found);
  boost::asio::awaitable<std::optional<credential_list>> list(credential_query asked,
                                                              mirror_view& found);
  boost::asio::awaitable<admin_answer> status(credential_query asked, bool as_json,
                                              mirror_view found);
  boost::asio::awaitable<admin_answer> credentials(credential_query asked, mirror_view found);
  boost::asio::awaitable<admin_answer> credential(credential_id id, mirror_view found);

  boost::asio::any_io_executor executor_;
  page_source& database_;
  std::function<daemon_facts()> daemon_;
  shared_reading<mirror_overview> overview_;
  task_group questions_;  // those that take long go on when nobody waits any more
  std::chrono::steady_clock::time_point read_{};  // when the overview last came
  std::chrono::steady_clock::duration took_{};    // and how long it took
};

}  // namespace flanks::web
