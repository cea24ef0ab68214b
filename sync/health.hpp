// How the provider is doing, bank by bank and as a whole, from how credentials end: one breaker a
// bank and one for the whole API, so that one failing bank never blocks another (promise P7). Tells
// a 401 that concerns one credential from one that concerns the whole client. Pure: time is handed
// in.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "sync/breaker.hpp"
#include "sync/credential_report.hpp"

namespace flanks {

// Whether an error class names a fault of the provider's: a server error, an answer that is not
// what was asked for, or none in time. Not: 401, 403, 404 (they concern the credential or the
// keys), and what happens on our side of the wire. From the table in sync/error_class.cpp.
[[nodiscard]] bool is_providers_fault(std::string_view error_class);

// What one credential's end says of the provider.
enum class verdict_on_provider : std::uint8_t {
  well,     // it answered as it should
  failed,   // its fault, and nothing could be stored
  refused,  // 401, also with a fresh access token
  nothing,  // the end had other reasons
};
[[nodiscard]] verdict_on_provider judge(const credential_report& report);

class provider_health {
 public:
  using clock = breaker::clock;
  // A breaker opened or closed.
  struct change {
    bool opened = false;
    std::string bank;  // empty: the whole API
    std::chrono::seconds pause{0};
  };

  explicit provider_health(const breaker_policy& policy = {}) : policy_(policy), api_(policy) {}

  // How many credentials may be begun now, of whatever bank.
  [[nodiscard]] int places(clock::time_point now) { return api_.places(now); }
  [[nodiscard]] std::chrono::seconds wait(clock::time_point now) { return api_.wait(now); }
  // How long a credential of this bank must wait; zero: it begins now, and counts as begun. A bank
  // without a name (a new credential's) has no breaker of its own.
  [[nodiscard]] std::chrono::seconds begin(const std::string& bank, clock::time_point now);

  // How a credential ended. At most one change for its bank and one for the API; the API's first.
  std::vector<change> note(const std::string& bank, verdict_on_provider how, clock::time_point now);

  // Nobody has got through since credentials began to be refused: it may be us, not they.
  [[nodiscard]] bool refusals_in_doubt() const { return refused_in_a_row_ > 1; }
  [[nodiscard]] bool backs_off() const { return !api_.closed(); }

 private:
  [[nodiscard]] bool concerns_several_banks() const {
    return banks_in_a_row_.size() + static_cast<std::size_t>(nameless_in_a_row_) > 1;
  }

  breaker_policy policy_;
  breaker api_;
  std::map<std::string, breaker> banks_;  // those that have failed since they last did well
  // Since the last success of anyone:
  std::set<std::string> banks_in_a_row_;
  int nameless_in_a_row_ = 0;
  int refused_in_a_row_ = 0;
};

}  // namespace flanks
