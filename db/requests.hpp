// What coroutines ask of the database in a word: each is one row or a few, and many are done
// together (write_batcher). Plain values; `done` says that it was done in the open transaction.
// One that is not: its row is locked by somebody else just now, its lease is lost, or there is no
// such row.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "db/windows/window.hpp"
#include "sync/store.hpp"

namespace flanks {

struct items_request {
  std::int64_t backfill_id;
  credential_id id;
  bool done = false;
  std::vector<plan_item> result;  // when done
};

struct claim_request {
  credential_id id;
  items_request* items = nullptr;  // are wanted with it, as they are once it is claimed
  bool done = false;
  std::optional<claimed_credential> result;  // when done
};

struct status_request {
  credential_id id;
  lease_id lease;
  credential_status status;
  bool done = false;
  bool availability_changed = false;  // when done: it says something else of what can be fetched
};

struct release_request {
  credential_id id;
  lease_id lease;
  std::optional<next_attempt> next;  // absent: it stays due as it was
  bool done = false;
};

// The records of one credential. `ids` name them once and for all: writing them again does nothing.
struct runs_request {
  std::vector<run_record> records;
  std::vector<std::string> ids;
  bool done = false;
};

}  // namespace flanks
