// Aggregation v2 (API contract, section 5): the transactions of one product, from page to page. Not
// all deployments filter by day: one is asked whether it does.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sync/flanks/page.hpp"
#include "sync/flanks/requester.hpp"
#include "sync/flanks_api.hpp"

namespace flanks {

class aggregation {
 public:
  // `requests` must outlive it. `most_pages`: limits.answer_pages.
  aggregation(boost::asio::any_io_executor executor, requester& requests, int most_pages)
      : executor_(std::move(executor)), requests_(requests), most_pages_(most_pages) {}

  // Whether the deployment takes date_from and date_to. Asked at the first need and again once a
  // day, by one request about today alone: one day is never too long a window, so a 400 that names
  // one of the fields can only mean that they are not known. Nor does a deployment filter that
  // shows other days all the same. Whoever needs to know meanwhile waits for the answer.
  boost::asio::awaitable<bool> filters_by_day(const access& to);

  // Like flanks_api::transactions(), of as much as the deployment filters. A caller must make sure
  // that the provider's data stayed the same from the first page to the last.
  boost::asio::awaitable<response_summary> transactions(const access& to, product what, window days,
                                                        batch_sink& sink);

 private:
  using clock = std::chrono::steady_clock;
  struct inquiry;

  [[nodiscard]] call_info call(std::string_view endpoint, const access& to) const;
  // Its body, and where it came from, are kept in `a`.
  boost::asio::awaitable<page> ask_page(std::string_view endpoint, secret body, const access& to,
                                        answer& a);
  boost::asio::awaitable<std::vector<std::string>> product_ids(const access& to, product what);
  boost::asio::awaitable<response_summary> walk(const access& to, product what,
                                                std::optional<window> days, batch_sink& sink);
  boost::asio::awaitable<bool> ask_about_today(const access& to);
  [[nodiscard]] bool is_known() const { return filters_ && clock::now() < ask_again_at_; }

  boost::asio::any_io_executor executor_;
  requester& requests_;
  int most_pages_;
  std::optional<bool> filters_;
  clock::time_point ask_again_at_;
  std::shared_ptr<inquiry> inquiry_;  // while it is asked
};

}  // namespace flanks
