// How one credential went, over all products, and what follows from it: the words that operators
// read, and when it is due again. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sync/flanks_api.hpp"
#include "sync/policy.hpp"
#include "sync/store.hpp"

namespace flanks {

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

  // What the provider says that it waits for, in the words of sync_status.what_next, and its error
  // class; empty: for nothing.
  std::string waits_for;
  std::string_view waits_for_class;

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

// The words of flanks.sync_status.what_next for what this status waits for; empty: for nothing.
[[nodiscard]] std::string waiting_words(const credential_status& status);

// Its error class, as in flanks.sync_status.
[[nodiscard]] std::string_view waiting_class(const credential_status& status);

// What operators read of records that could not be stored, in the log and in sync_status.
[[nodiscard]] std::string quarantine_words(std::int64_t records);
[[nodiscard]] std::string quarantine_hint(credential_id id);

// When the credential is due again, and what operators read about it.
[[nodiscard]] next_attempt after(const credential_report& report,
                                 const claimed_credential& credential, const sync_policy& policy,
                                 instant now, double jitter);

}  // namespace flanks
