#include "daemon/metrics/provider.hpp"

#include <array>

#include "sync/flanks/product_fields.hpp"
#include "sync/flanks/query.hpp"

namespace flanks {

namespace {

const prometheus::Histogram::BucketBoundaries request_seconds{0.025, 0.05, 0.1, 0.25, 0.5, 1,
                                                              2.5,   5,    10,  30,   60,  120};
const prometheus::Histogram::BucketBoundaries wait_seconds{0.01, 0.1, 1, 5, 15, 60, 300, 900};

constexpr std::array causes{retry_cause::failed, retry_cause::paused, retry_cause::token_refused};

const char* word_of(retry_cause why) {
  switch (why) {
    case retry_cause::failed:
      return "failed";
    case retry_cause::paused:
      return "paused";
    case retry_cause::token_refused:
      return "token_refused";
  }
  return "";
}

}  // namespace

provider_metrics::provider_metrics()
    : requests_(histograms_in(
          registry_, "flanks_http_request_duration_seconds",
          "How long requests to the provider took, by endpoint and HTTP status, from their sending "
          "to the last byte of the answer, in seconds; a wait for the rate limit comes before, and "
          "what the answer waits for the database is left out. code \"none\": no whole answer "
          "came.")),
      retries_(
          counters_in(registry_, "flanks_http_retries_total",
                      "Requests that were sent again, by endpoint and why: failed, paused (a "
                      "rate limit was answered and its pause is over), token_refused (401: once "
                      "more with a newer access token).")),
      tokens_(counters_in(registry_, "flanks_token_refreshes_total",
                          "Access tokens that were asked for, by outcome: ok, or failed after the "
                          "tries that were due.")),
      tokens_came_(tokens_.Add({{"outcome", "ok"}})),
      tokens_failed_(tokens_.Add({{"outcome", "failed"}})),
      waits_(histograms_in(registry_, "flanks_rate_limit_wait_seconds",
                           "How long requests of this process waited for their turns, in seconds: "
                           "under flanks.requests_per_second and in the provider's pauses.")
                 .Add({}, wait_seconds)) {
  std::vector<std::string> endpoints{std::string(token_endpoint), std::string(status_endpoint),
                                     std::string(entities_endpoint)};
  for (const product p : all_products)
    endpoints.emplace_back(transactions_endpoint(p));
  for (const product_kind k : all_product_kinds)
    endpoints.emplace_back(products_endpoint(k));
  for (const std::string& endpoint : endpoints) {
    (void)took(endpoint, 200);
    for (const retry_cause why : causes)
      retries_.Add({{"endpoint", endpoint}, {"cause", word_of(why)}});
  }
}

prometheus::Histogram& provider_metrics::took(const std::string& endpoint, int http_status) {
  prometheus::Histogram*& found = by_code_[{endpoint, http_status}];
  if (found == nullptr) {
    const std::string code = http_status == 0 ? "none" : std::to_string(http_status);
    found = &requests_.Add({{"endpoint", endpoint}, {"code", code}}, request_seconds);
  }
  return *found;
}

void provider_metrics::ended(std::string_view endpoint, int http_status,
                             std::chrono::nanoseconds time) {
  took(std::string(endpoint), http_status).Observe(in_seconds(time));
}

void provider_metrics::retried(std::string_view endpoint, retry_cause why) {
  retries_.Add({{"endpoint", std::string(endpoint)}, {"cause", word_of(why)}}).Increment();
}

void provider_metrics::token_came(std::optional<std::chrono::seconds> lifetime) {
  tokens_came_.Increment();
  token_expires_.reset();
  if (lifetime) token_expires_ = std::chrono::system_clock::now() + *lifetime;
}

void provider_metrics::collect(families& to, const rate_totals& r) const {
  collect_into(to, registry_);
  told_family expires(
      "flanks_access_token_expiry_timestamp_seconds",
      "When the newest access token of this process expires, in seconds since 1970; 0 "
      "before the first one, and when the provider did not say.");
  expires.add(token_expires_ ? in_seconds(token_expires_->time_since_epoch()) : 0).into(to);
  told_family pauses("flanks_provider_pauses_total",
                     "Pauses that the provider asked this process for (429, or 503 with "
                     "Retry-After). All processes of the database keep them.",
                     prometheus::MetricType::Counter);
  pauses.add(static_cast<double>(r.pauses)).into(to);
  told_family pause("flanks_provider_pause_end_timestamp_seconds",
                    "When the provider's pause ends, in seconds since 1970; 0 when there is none.");
  const bool lasts = r.paused_until && *r.paused_until > std::chrono::system_clock::now();
  pause.add(lasts ? in_seconds(r.paused_until->time_since_epoch()) : 0).into(to);
}

}  // namespace flanks
