// What is mirrored, how far back and how often: the part of the section `sync` of the configuration
// that decides, with the only defaults of it. Plain values.
#pragma once

#include <chrono>
#include <vector>

#include "sync/retry.hpp"
#include "sync/types.hpp"

namespace flanks {

// Named as in the configuration (sync.*).
struct fetch_settings {
  std::vector<product> products{all_products.begin(), all_products.end()};  // no duplicates
  int history_months = 24;
  std::chrono::seconds interval{std::chrono::hours{24}};
  int polls_per_day = 6;  // of one credential, at most; more when the interval asks for more
  std::chrono::days overlap{30};
  std::chrono::seconds sweep_interval{std::chrono::days{30}};  // all history
  std::chrono::seconds recent_sweep_interval{std::chrono::days{7}};
  std::chrono::days recent_sweep_days{90};
  int tries = retry_policy{}.tries;  // of one request, and of one window; the first included

  bool operator==(const fetch_settings&) const = default;
};

// When a row that the provider no longer shows is not simply removed (promise P5; config:
// sync.removal_threshold_percent, sync.removal_threshold_rows): more than both at once, and a
// person must look.
struct removal_limits {
  int percent = 10;  // of the rows that were there
  int rows = 5;

  bool operator==(const removal_limits&) const = default;
};

struct sync_policy : fetch_settings {
  std::vector<product_kind> product_kinds{all_product_kinds.begin(), all_product_kinds.end()};
  removal_limits removals;
  std::chrono::seconds stale_after{std::chrono::days{3}};  // without a refresh of the provider

  bool operator==(const sync_policy&) const = default;
};

}  // namespace flanks
