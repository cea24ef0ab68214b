// What the database says of the mirror as a whole, for those who watch it: how many, how old, how
// well proved. Never about one credential.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sync/types.hpp"

namespace flanks {

struct mirror_gauges {
  struct in_state {
    std::string state;  // as in flanks.sync_status
    std::int64_t credentials = 0;
    // Since the mirror of any of them was last known to agree with the provider; since it was
    // registered, where it never was.
    std::chrono::seconds oldest_lag{0};
  };
  // The latest verify command that spoke of a product of a credential, over all credentials that
  // were not removed.
  struct proved {
    std::string product, outcome;  // as in flanks.verifications; of several windows the worst
    std::int64_t credentials = 0;
    std::int64_t missing = 0, extra = 0, altered = 0;  // operations that differed
  };

  // Credentials that are neither removed, paused nor gone.
  struct of_bank {
    std::string bank;        // as the provider names it; empty before the first status
    std::int64_t stale = 0;  // those that the provider has not refreshed for sync.stale_after
    std::optional<instant> oldest_refresh;  // of any of them; none when no refresh is known
  };

  std::vector<of_bank> banks;    // by name
  std::vector<in_state> states;  // those that occur
  std::int64_t due = 0;          // credentials that a worker could take now
  std::vector<proved> proofs;    // those that occur
  std::optional<instant> last_verification;
  instant read_at;  // by the database's clock
};

// Throws `failure` like store. Belongs to the event loop's thread; both questions may be under way
// at the same time.
class gauge_source {
 public:
  virtual ~gauge_source() = default;
  // Whether this program fits the database's schema: empty, or the sentence that says why not.
  // Cheap.
  virtual boost::asio::awaitable<std::string> schema_trouble() = 0;
  // Looks at every credential: a second where there are millions, and several after a verification.
  virtual boost::asio::awaitable<mirror_gauges> read() = 0;
};

}  // namespace flanks
