// What coroutines ask of the database in a word: each is one row or a few, and many are done
// together (group_commit). Plain values; `settled` says that it was done in the open transaction.
// One that is not: its row is locked by somebody else just now, its lease is lost, or there is no
// such row.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "db/window_scope.hpp"
#include "sync/store.hpp"

namespace flanks {

struct items_request {
  std::int64_t backfill_id;
  credential_id id;
  bool settled = false;
  std::vector<plan_item> result;  // when settled
};

struct claim_request {
  credential_id id;
  items_request* items = nullptr;  // are wanted with it, as they are once it is claimed
  bool settled = false;
  std::optional<claimed_credential> result;  // when settled
};

struct status_request {
  credential_id id;
  lease_id lease;
  credential_status status;
  bool settled = false;
};

struct release_request {
  credential_id id;
  lease_id lease;
  std::optional<next_attempt> next;  // absent: it stays due as it was
  bool settled = false;
};

// The records of one credential. `ids` name them once and for all: writing them again does nothing.
struct runs_request {
  std::vector<run_record> records;
  std::vector<std::string> ids;
  bool settled = false;
};

// A window whose whole answer has come. It is settled when the answer says what is stored: that is
// on record then.
struct window_request {
  const window_scope& scope;
  const std::vector<transaction_batch>& answer;
  const window_evidence& evidence;
  std::string sync_run_id;  // names the run once and for all
  run_record record;        // when settled, as it was written
  bool settled = false;
  bool differs = false;  // from what lies ready to be compared with
};

// Whether a window can be settled together with others, as far as its answer tells: all of it is
// here, and nothing in it asks for more than comparing and writing rows.
[[nodiscard]] bool is_plain(const window_request& r, const absent_rows& absent);

// One that brings something. It is settled when new rows and other content were all that it took,
// and they are stored. One that is not is window_writer's.
struct change_request {
  window_request& window;
  bool settled = false;
  std::optional<run_record> written;  // by a transaction, committed or not
};

}  // namespace flanks
