// The story of one credential: status, windows, transactions, rows. It holds no socket and no
// connection, only the two interfaces; who calls it owns the lease and keeps it alive.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <vector>

#include "sync/clock.hpp"
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

// How it went, over all products.
struct credential_report {
  credential_id id;
  trigger why = trigger::schedule;
  credential_state state = credential_state::ok;
  row_counts counts;
  int windows_stored = 0;
  std::int64_t quarantined_products = 0;  // records of lists of products
  int suspicious = 0;         // windows and lists that lack so much that a person must look
  int failed = 0;             // products or windows that failed
  int not_available = 0;      // the provider could not answer for them yet
  bool pending = false;       // the provider has not finished the first extraction
  bool not_found = false;     // answered 404
  bool unauthorized = false;  // 401 again with a fresh access token
  bool answered = false;      // the provider said how the credential is
  // Nobody gets through just now: a refusal may concern us and not this credential (set by who sees
  // all credentials).
  bool client_in_doubt = false;
  std::string bank;                        // as the provider names it; empty when it did not say
  std::optional<instant> provider_update;  // when it last refreshed, as its status says
  // Nothing can go on until an operator acts: keys refused, schema or rights of the database wrong.
  std::optional<failure> stopped_by;
  bool lease_lost = false;
  std::optional<failure> unreachable;  // no connection to the provider, or no access token
  std::optional<std::chrono::seconds> retry_after;
  std::string error, hint, error_class;  // of the first failure; `error` is a whole sentence
  std::string suspicion;                 // of the first suspicious one, whole sentence

  // What the provider says that it waits for, in the words of sync_status.what_next, and whose turn
  // it is; empty: for nothing.
  std::string waits_for;
  std::string_view waits_for_whom;

  std::string refusal, refusal_hint;  // of the first window of which the database refused a part

  // Everything was fetched, but some records could not be stored (promise P8: not the same as ok).
  [[nodiscard]] bool partial() const { return ok() && quarantined() > 0; }
  // Records of windows and of lists.
  [[nodiscard]] std::int64_t quarantined() const {
    return counts.quarantined + quarantined_products;
  }
  [[nodiscard]] bool ok() const { return failed == 0 && !stopped_by && !lease_lost; }
  // Nothing more can be asked of the provider for this credential now.
  [[nodiscard]] bool must_stop() const {
    return stopped_by.has_value() || lease_lost || not_found || unauthorized;
  }
  // Counts a failure and keeps what it means for the credential.
  void add(const failure& f);
  // The schedule has asked, and the provider has heard it: it counts into sync.polls_per_day. What
  // an operator asks for comes on top.
  [[nodiscard]] bool is_poll() const {
    return why == trigger::schedule && (answered || !unreachable);
  }
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

// The words of flanks.sync_status.what_next for what this status waits for; empty: for nothing.
[[nodiscard]] std::string waiting_words(const credential_status& status);

// What operators read of records that could not be stored, in the log and in sync_status.
[[nodiscard]] std::string quarantine_words(std::int64_t records);
[[nodiscard]] std::string quarantine_hint(credential_id id);

// When the credential is due again, and what operators read about it.
[[nodiscard]] next_attempt after(const credential_report& report,
                                 const claimed_credential& credential, const sync_policy& policy,
                                 instant now, double jitter);

}  // namespace flanks
