// The story of one credential: status, windows, transactions, rows. It holds no socket and no
// connection, only the two interfaces; who calls it owns the lease and keeps it alive.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <vector>

#include "sync/clock.hpp"
#include "sync/credential_report.hpp"
#include "sync/flanks_api.hpp"
#include "sync/schedule.hpp"
#include "sync/store.hpp"

namespace flanks {

// What is told while a credential is worked on. Called on the event loop; must not block or throw.
class mirror_observer {
 public:
  virtual ~mirror_observer() = default;
  // `elements` more array elements of a response arrived.
  virtual void received(std::int64_t elements) = 0;
  // One window ended, well or badly.
  virtual void ended(const run_record& record) = 0;
  // One list of products was fetched, or could not be.
  virtual void listed(const product_run&) {}
  // What happened could not be written down.
  virtual void unrecorded(credential_id, const failure&) {}
  // The provider's status of a credential holds what cannot be used.
  virtual void odd_status(credential_id, const std::vector<std::string>& /*clauses*/) {}
  // It was not stale when it was last asked for; the provider's last refresh was at `refreshed`.
  virtual void stale(credential_id, instant /*refreshed*/) {}
  // A person must decide whether an account of another credential has passed to this one.
  virtual void succession_open(credential_id, const succession_pair&) {}
};

// What is asked of one credential.
struct assignment {
  claimed_credential credential;
  std::string run_id;
  trace_id trace = new_trace();  // of all requests that it takes
  trigger why = trigger::schedule;
  bool force = false;             // fetch even when the provider has nothing newer (sync)
  std::vector<product> products;  // empty: those of the policy
  // A backfill or a repair fetches exactly these; without it the windows follow from coverage.
  std::optional<std::vector<plan_item>> items;
};

// Everything mirror() works with; must outlive the call. The policy may be replaced meanwhile: what
// it was at the call applies to the whole credential.
struct mirror_tools {
  flanks_api& api;
  store& db;
  engine_clock& clock;
  mirror_observer& observer;
  const sync_policy& policy;
};

// Mirrors one credential. Failures of the provider and the database are recorded and reported,
// never thrown, and so is one that could not be recorded; what travels out is cancellation
// (boost::system::system_error, operation_aborted).
[[nodiscard]] boost::asio::awaitable<credential_report> mirror(mirror_tools tools, assignment job);

}  // namespace flanks
