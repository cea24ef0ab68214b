// A window: one product of one credential, under a lease, over some days; and what is asked of the
// database for it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sync/store.hpp"

namespace flanks {

struct window_scope {
  credential_id credential;
  lease_id lease;
  product what = product::account;
  window days;
  std::optional<std::int64_t> item;  // of a backfill plan; done when this commits
  std::string query;                 // the filter that was sent, canonical; empty: none
  bool by_values = false;            // compared with the values in the table, never by fingerprints

  // Then what the provider does not show may merely not have passed: no evidence of its absence.
  [[nodiscard]] bool filtered() const { return !query.empty(); }
};

// Bytes of an answer that may wait in memory before a connection is taken, and that one COPY holds.
inline constexpr std::size_t answer_buffer_limit = 1024 * 1024;

// What the database says of a window that was written.
struct written_window {
  run_record record;   // as it is in flanks.sync_runs
  absent_rows absent;  // what is left to look for in later parts
};

// A window: its whole answer, or (streamed) as much of it as came since the last write. All but
// `scope`, `answer` and `sync_run_id` is needed only for its end.
struct window_request {
  const window_scope& scope;
  std::vector<transaction_batch>& answer;
  std::string sync_run_id;  // names the run once and for all
  std::size_t bytes = 0;    // of the answer, in memory
  bool streamed = false;
  run_record record{};
  window_evidence evidence{};
  absent_rows absent{};  // what earlier parts did not show
  // By a transaction that has come to its end; it may have been committed. Counts once `done`.
  std::optional<written_window> written{};
  bool done = false;
};

}  // namespace flanks
