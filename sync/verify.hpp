// The story of a proof: status, windows, the provider's rows beside the stored ones. Reads both
// sides and changes neither; a repair is what the mirror does with those windows that differ, and
// the same proof again. Who calls it owns the lease and keeps it alive, so that no other worker
// moves the rows while they are compared.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <vector>

#include "sync/clock.hpp"
#include "sync/flanks_api.hpp"
#include "sync/mirror.hpp"
#include "sync/proof.hpp"
#include "sync/retry.hpp"

namespace flanks {

// What is asked of one credential.
struct proof_request {
  claimed_credential credential;
  std::string run_id;
  trace_id trace = new_trace();  // of all requests that it takes
  std::vector<product> products;
  std::optional<window> days;  // absent: what is covered
  int limit = 1000;            // differences listed of one window
  // Of one window, the first one included.
  int tries = retry_policy{}.tries;
};

// Everything verify() works with; must outlive the call.
struct proof_tools {
  flanks_api& api;
  proof_store& db;
  engine_clock& clock;
  const mirror_tools* repair = nullptr;  // null: what differs is told and left as it is
};

struct proof_report {
  std::vector<proof_record> records;  // in the order in which they were made
  // Nothing can go on until an operator acts: keys refused, schema or rights of the database wrong.
  std::optional<failure> stopped_by;
  std::optional<failure> unreachable;  // no connection to the provider, or no access token
};

// Failures of the provider are recorded and reported; those of the database travel out.
[[nodiscard]] boost::asio::awaitable<proof_report> verify(proof_tools tools, proof_request request);

}  // namespace flanks
