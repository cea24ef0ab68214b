// What requests to the provider do: how long they take, which are sent again, how long they wait,
// and how long the access token is good.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "daemon/metrics.hpp"
#include "daemon/metrics/families.hpp"
#include "sync/request_observer.hpp"

namespace flanks {

class provider_metrics final : public request_observer {
 public:
  provider_metrics();
  void ended(std::string_view endpoint, int http_status, std::chrono::nanoseconds took) override;
  void retried(std::string_view endpoint, retry_cause why) override;
  void token_came(std::optional<std::chrono::seconds> lifetime) override;
  void compared_clocks(std::chrono::seconds ahead) override { ahead_ = ahead; }
  void token_failed() override { tokens_failed_.Increment(); }
  // For its turn under the rate limit, and in pauses.
  void waited(std::chrono::nanoseconds time) { waits_.Observe(in_seconds(time)); }

  // Of the provider's clock, by its last answer; none before the first one that told.
  [[nodiscard]] std::optional<std::chrono::seconds> ahead() const { return ahead_; }

  void collect(families& to, const rate_totals& rates) const;

 private:
  prometheus::Histogram& took(const std::string& endpoint, int http_status);

  prometheus::Registry registry_;
  histogram_family& requests_;
  counter_family &retries_, &tokens_;
  prometheus::Counter &tokens_came_, &tokens_failed_;
  prometheus::Histogram& waits_;
  std::map<std::pair<std::string, int>, prometheus::Histogram*> by_code_;
  std::optional<std::chrono::system_clock::time_point> token_expires_;
  std::optional<std::chrono::seconds> ahead_;
};

}  // namespace flanks
