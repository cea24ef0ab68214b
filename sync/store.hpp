// The database as the engine needs it. Throws `failure` (stage database, write, commit or lease).
// Every call hops to a database connection and back; a call that has begun is awaited to its end.
// What is a row or two (claims of one credential, statuses, runs, releases) is done for many
// callers at once, each with its own result.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sync/failure.hpp"
#include "sync/product.hpp"
#include "sync/removal.hpp"
#include "sync/succession.hpp"
#include "sync/transaction.hpp"
#include "sync/types.hpp"

namespace flanks {

using boost::asio::awaitable;

// The random id of one claim, compared under a row lock before every commit (promise P6). A uuid as
// text.
struct lease_id {
  std::string value;
  bool operator==(const lease_id&) const = default;
};

// What is known of one product of a credential when it is claimed.
struct product_coverage {
  std::optional<day> from;  // the contiguous range verified so far, both bounds included
  std::optional<day> to;
  std::optional<instant> provider_seen;  // watermark: last_update of the status that the last
                                         // success was fetched under; never of the future
  std::optional<day> unclean_from;       // the first day whose last answer held records that are in
                                         // quarantine
  std::optional<instant> last_success;
  std::optional<instant> last_sweep;         // when all history was last read whole
  std::optional<instant> last_recent_sweep;  // when its recent part was
  int window_days = 0;   // the largest window that the provider served after it had failed a larger
                         // one; 0: it never failed
  int history_days = 0;  // it serves the last so many days and refuses older ones; 0: it never did
};

// A credential under our lease.
struct claimed_credential {
  credential_id id;
  lease_id lease;
  // When the claim was sent: the lease lasts at least its time from then on.
  std::chrono::steady_clock::time_point claimed_at{};
  secret credentials_token;
  std::optional<failure> token_failure;  // why it could not be read; it is empty then
  std::string bank;                      // empty until the first status
  credential_state state = credential_state::fresh;
  std::array<product_coverage, all_products.size()> coverage;
  // By product_kind: the last_update of the status that its last success was fetched under.
  std::array<std::optional<instant>, all_product_kinds.size()> products_seen;
  int failures_in_a_row = 0;
  std::optional<instant> not_found_since;  // the provider has answered 404 since then
  std::vector<instant> refreshes;          // the provider's last ones, as with_refresh() keeps them
  std::vector<instant> polls;   // when it was last asked for by schedule, as with_poll() keeps them
  std::uint64_t slot_salt = 0;  // of this installation

  [[nodiscard]] const product_coverage& of(product p) const {
    return coverage[static_cast<std::size_t>(p)];
  }
};

// One line of the run record (flanks.sync_runs): one (run, credential, product, window).
struct run_record {
  std::string run_id;  // uuid: one cycle of the daemon, one backfill, one sync
  trigger why = trigger::schedule;
  credential_id credential;
  std::optional<product> what;  // absent: the run ended before any product (status call failed)
  std::optional<window> days;
  flanks::outcome outcome = flanks::outcome::ok;
  row_counts counts;
  std::string error_class, error_stage, error_message, error_hint, provider_code, trace_id;
  int http_status = 0;
  std::string endpoint, our_trace_id;  // for the log alone, as in failure
  std::int64_t response_bytes = 0;
  int requests = 0;
  instant started_at;
  std::chrono::milliseconds provider_time{0};
  std::chrono::milliseconds database_time{0};
  std::optional<instant> provider_update;  // becomes the watermark when `how` is ok or partial
};

// One fetch of one kind of product (flanks.product_runs, flanks.product_coverage).
struct product_run {
  std::string run_id;
  trigger why = trigger::schedule;
  credential_id credential;
  product_kind what = product_kind::account;
  flanks::outcome outcome = flanks::outcome::ok;
  row_counts counts;
  std::string error_class, error_stage, error_message, error_hint, provider_code, trace_id;
  int http_status = 0;
  std::string endpoint, our_trace_id;  // for the log alone, as in failure
  std::int64_t response_bytes = 0;
  instant started_at;
  std::optional<instant> provider_update;  // becomes the watermark when `how` is ok or partial
};

// What the answer for one window proves, and what is remembered with it.
struct window_evidence {
  // The days about which absence says something (provable_days()); none: nothing is removed.
  std::optional<window> provable;
  bool last_part = true;  // of what was planned as one window: now removals are decided
  removal_limits limits;
  bool all_history = false;     // with it, all history has been read
  bool recent_history = false;  // with it, the recent part of history has been read
  // The window size to start with next time, in days; 0 forgets what was remembered; none: as it
  // was.
  std::optional<int> window_days;
  // How many days of history the bank serves, today included; 0 and none as above.
  std::optional<int> history_days;
  // It came over a connection that has served another request: not enough to believe that rows
  // vanished, or that rows of another list are this one's too.
  bool rested_connection = false;
};

// What an answer is compared with.
enum class comparing : std::uint8_t {
  fingerprints,  // what is remembered of the stored rows, as long as nothing else touched them
  values,        // the rows themselves: whatever happened to them is put right (promise P14)
};

// One window of one (credential, product) in ONE database transaction: rows, revisions, quarantine,
// coverage, run record, watermark and (for a backfill) the plan's item, all or nothing. Destroying
// it uncommitted rolls back.
class window_ledger {
 public:
  virtual ~window_ledger() = default;
  // Compares with what is stored and writes what differs. Call in the order of arrival.
  virtual awaitable<void> apply(transaction_batch batch) = 0;
  // Re-checks the lease under its row lock, finishes the record (counts, outcome, and as
  // database_time all time that this window has spent on its connection), writes it, commits. Gives
  // the record as it is in flanks.sync_runs. `absent` holds what earlier parts did not show, and
  // gets what is left after this one; a commit that fails leaves it alone. Throws failure{lease}
  // when the lease was lost, and unconfirmed_answer().
  virtual awaitable<run_record> commit(run_record record, window_evidence evidence,
                                       absent_rows& absent) = 0;
  // Rolls back and gives the connection back. Safe after a failed apply or commit.
  virtual awaitable<void> abandon() = 0;
};

// An answer that takes something away, or shows rows of another list, and came over a connection
// that had rested: what was left on it from another request would say the same. Not a try: it is
// asked for again over a new connection (connection_use::fresh), and believed then.
[[nodiscard]] failure unconfirmed_answer(credential_id id, std::string_view list);
[[nodiscard]] bool is_unconfirmed(const failure& f);

// Which credentials a command speaks of. Empty lists: all.
struct selection {
  std::vector<user_id> users;
  std::vector<credential_id> credentials;
  std::vector<product> products;
};

// What a selection means now. A paused credential is fetched only where it is named by its number.
struct chosen_credentials {
  std::vector<credential_id> ids;     // in order
  std::vector<credential_id> paused;  // left out: paused, and not named
};

// One product of one credential over one window that is to be fetched, whatever was fetched before.
struct plan_item {
  std::optional<std::int64_t> item_id;  // of a stored backfill plan; none: of no plan
  product what = product::account;
  window days;
};

struct backfill_claim {
  std::optional<claimed_credential> credential;
  std::vector<plan_item> items;
};

struct backfill_plan {
  std::int64_t backfill_id = 0;
  bool resumed = false;
  window days;
  std::int64_t items = 0;       // in the whole plan
  std::int64_t items_done = 0;  // finished in an earlier run
  std::int64_t credentials = 0;
  std::int64_t paused = 0;  // credentials that are left out: paused, and not named
};

// What a finished attempt means for the next one.
struct next_attempt {
  credential_state state;
  std::chrono::seconds delay;  // from the database's now()
  bool failed = false;         // counts into failures_in_a_row; false resets it
  bool not_found = false;      // answered 404: keeps the earliest not_found_since; false clears it
  std::string error;           // whole sentence for flanks.sync_status.last_error; empty clears it
  std::string hint;
  std::string error_class;  // of `error`, as in flanks.sync_runs; empty with it
  std::optional<std::vector<instant>> polls, refreshes;  // none: as they were
  // It was not tried: only `delay` counts, all else stays as it is.
  bool postponed = false;
  // flanks.credentials cannot be written: only the lease says that it failed, and when it is due.
  bool lease_only = false;
};

class store {
 public:
  virtual ~store() = default;

  // Claims up to `limit` credentials that are due now (by the database's clock), skipping those
  // leased by others.
  // Only what was due `age` ago already.
  virtual awaitable<std::vector<claimed_credential>> claim_due(
      int limit, std::chrono::milliseconds age = std::chrono::milliseconds{0}) = 0;
  // How many credentials were due `age` ago that nobody holds a lease of, whether or not they can
  // be claimed (something may lock their rows); counted up to 1000.
  virtual awaitable<std::int64_t> unheld_due(std::chrono::milliseconds age) = 0;
  // Claims one credential now, due or not; nothing when another worker holds its lease, or it does
  // not exist.
  virtual awaitable<std::optional<claimed_credential>> claim(credential_id id) = 0;
  // Extends a lease; false when it was lost.
  virtual awaitable<bool> renew(credential_id id, lease_id lease) = 0;
  // Gives the lease back and says when the credential is due again. Does nothing when the lease was
  // lost.
  virtual awaitable<void> release(credential_id id, lease_id lease, next_attempt next) = 0;
  // Gives the lease back and leaves the credential due as it was (shutdown).
  virtual awaitable<void> release_untouched(credential_id id, lease_id lease) = 0;
  // When the next credential becomes due: seconds from now, 0 when one is due; nothing when none is
  // registered.
  virtual awaitable<std::optional<std::chrono::seconds>> next_due() = 0;

  // By how much the database's clock is ahead of this machine's, to the second.
  virtual awaitable<std::chrono::seconds> clock_ahead() = 0;
  // Says in flanks.mirror_problems what `which` fails with now; nothing: it is over.
  virtual awaitable<void> note_problem(mirror_problem which, std::optional<failure> what) = 0;
  // Takes back what this process said there, of whatever problem.
  virtual awaitable<void> forget_problems() = 0;

  // Writes what the status call said into flanks.credentials (only when something changed) under
  // the lease. True when it says something else than before of what can be fetched (pending,
  // created, errored).
  virtual awaitable<bool> record_status(credential_id id, lease_id lease,
                                        credential_status status) = 0;
  // Runs of one credential that stored nothing: failed, or not available.
  virtual awaitable<void> record_runs(std::vector<run_record> records) = 0;
  awaitable<void> record_run(run_record record) {
    std::vector<run_record> one;
    one.push_back(std::move(record));
    return record_runs(std::move(one));
  }

  // Opens the ledger of one window. `item` is marked done by its commit. `how`: what the answer is
  // compared with.
  virtual awaitable<std::unique_ptr<window_ledger>> open_window(credential_id id, lease_id lease,
                                                                product what, window days,
                                                                std::optional<std::int64_t> item,
                                                                comparing how) = 0;

  // One whole response in one database transaction: rows, days' balances, what vanished,
  // quarantine, run, watermark. Gives `run` back with its outcome (ok, partial, suspicious) and
  // counts. More than `limits` vanish only when a later refresh of the provider says the same.
  // Throws failure{lease} when the lease was lost, and unconfirmed_answer() when products would
  // vanish by it.
  virtual awaitable<product_run> store_products(credential_id id, lease_id lease,
                                                product_batch batch, product_run run,
                                                removal_limits limits) = 0;
  // Nothing was stored: failed (a run of its own), or not available (only when that is new).
  virtual awaitable<void> record_product_run(product_run run) = 0;

  // Lets real accounts pass from credentials that no longer show them to those that do, where this
  // one is either (sync/succession.hpp). Those that a person must decide on from now on.
  virtual awaitable<std::vector<succession_pair>> follow_successions(credential_id id) = 0;

  // Whether the list of banks is to be read now, by us: once a day by all daemons together, an hour
  // after a failure.
  virtual awaitable<bool> claim_entities() = 0;
  virtual awaitable<void> store_entities(product_batch batch) = 0;
  virtual awaitable<void> fail_entities(std::string error) = 0;

  // Finds the unfinished plan with the same arguments, or makes a new one. `restart` drops an
  // unfinished one first.
  virtual awaitable<backfill_plan> plan_backfill(selection who, window days, bool explicit_days,
                                                 bool restart) = 0;
  // What plan_backfill would make; writes nothing.
  virtual awaitable<backfill_plan> preview_backfill(selection who, window days, bool explicit_days,
                                                    bool restart) = 0;
  // Credentials of the plan with open items that come after `after` (by id), in order, at most
  // `limit`.
  virtual awaitable<std::vector<credential_id>> backfill_credentials(std::int64_t backfill_id,
                                                                     credential_id after,
                                                                     int limit) = 0;
  // claim(), with the items of the plan that are open then; those also when it is not claimed.
  virtual awaitable<backfill_claim> claim_for(std::int64_t backfill_id, credential_id id) = 0;
  // A failed item stays open, with its error, for the next start of the same backfill.
  virtual awaitable<void> fail_item(std::int64_t item_id, std::string error) = 0;
  // An item that the provider has no data for is closed with the reason; coverage does not grow.
  virtual awaitable<void> skip_item(std::int64_t item_id, std::string reason) = 0;
  // Closes the plan when no item is open any more; returns how many are.
  virtual awaitable<std::int64_t> finish_backfill(std::int64_t backfill_id) = 0;

  // The credentials that a selection means. Throws failure{configuration} for one that does not
  // exist.
  virtual awaitable<chosen_credentials> resolve(selection who) = 0;
};

}  // namespace flanks
