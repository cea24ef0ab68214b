// What an answer, or the next piece of it, changes in the stored rows. Plain values; points to
// transactions and fingerprints that outlive it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sync/fingerprint_set.hpp"
#include "sync/product.hpp"
#include "sync/transaction.hpp"

namespace flanks {

// A row to be stored with other content than it has, or as another list's than it is.
struct row_update {
  const transaction* row = nullptr;
  bool repeated = false;             // its _id came before in this answer: counted as a duplicate
  const fingerprint* was = nullptr;  // null: it is not one of those
};

// A record that cannot be stored beside what is stored already (flanks.quarantine).
struct row_conflict {
  const transaction* row = nullptr;
  std::string reason, detail;
};

// The row that is stored under an _id that the fingerprints do not hold, or hold as joint.
struct stored_row {
  credential_id credential;
  std::string product_name;
  content_hash content;
  bool removed = false;
  bool owner_absent = false;  // its credential shows nothing any more: removed, gone, long blocked
  bool touched = false;       // this transaction has written it
  bool sighted = false;       // it is on record that our list shows it too
  day on;
};

struct change_set {
  std::vector<const transaction*> inserts;  // not stored, as far as is known
  std::vector<const transaction*> lookups;  // the stored row decides: window_diff::resolve()
  std::vector<row_update> updates;
  std::vector<const transaction*> sightings;  // another credential's rows that ours shows alike
  std::vector<row_conflict> conflicts;

  [[nodiscard]] std::size_t rows() const { return inserts.size() + updates.size(); }
};

}  // namespace flanks
