// What the database says of the mirror as a whole, for those who watch it: how many, how old, how
// well proved. Never about one credential.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sync/finding.hpp"
#include "sync/types.hpp"

namespace flanks {

struct mirror_gauges {
  struct in_state {
    std::string state;  // as in flanks.sync_status
    std::int64_t credentials = 0;
    // When the mirror of the one that is furthest behind was last known to agree with the provider;
    // when it was registered, where it never was.
    instant oldest_success;
  };
  // Credentials that somebody must look at.
  struct in_trouble {
    std::string error_class, who_must_act;  // as in flanks.sync_status
    std::int64_t credentials = 0;
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

  // Records that are in quarantine now.
  struct quarantined {
    std::string reason;   // as in flanks.quarantine
    bool stored = false;  // a warning: the record is stored, but changed on the way
    std::int64_t records = 0;
  };
  struct table_size {
    std::string name;        // with its schema
    std::int64_t rows = 0;   // as PostgreSQL estimates them
    std::int64_t bytes = 0;  // with indexes and TOAST
  };

  std::vector<of_bank> banks;        // by name
  std::vector<in_state> states;      // those that occur
  std::vector<in_trouble> problems;  // those that occur
  std::int64_t due = 0;              // credentials that a worker could take now
  std::int64_t leases = 0;           // credentials that a worker of any daemon has
  std::vector<quarantined> quarantine;
  std::int64_t open_removals = 0, open_successions = 0;  // that wait for a person
  std::vector<table_size> tables;
  std::vector<proved> proofs;  // those that occur
  std::optional<instant> last_verification;
  instant read_at;  // by the database's clock
};

// Throws `failure` like store. Belongs to the event loop's thread; both questions may be under way
// at the same time.
class gauge_source {
 public:
  virtual ~gauge_source() = default;
  // Whether this program fits the database's schema, as `flanks-sync doctor` says it. Cheap.
  virtual boost::asio::awaitable<finding> schema() = 0;
  // Looks at every credential: a second where there are millions, and several after a verification.
  virtual boost::asio::awaitable<mirror_gauges> read() = 0;
};

}  // namespace flanks
