// Real accounts that pass from one credential to another (flanks.successions), as the data decides
// (sync/succession). What a person decides about them is in db/commands/succession_reviews. Blocks;
// throws sql_problem.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sync/succession.hpp"

namespace flanks {
class pg_connection;
}

namespace flanks::successions {

// Of every real account that `id` and another credential show or showed: where the one is dead
// (removed, gone, blocked, or without the account) and the other lives, the living one takes over;
// a dead one that lives again has its operations back. Transactions of its own, one a pair; a pair
// that another worker holds is left to that one. Those that are open and were not before.
std::vector<succession_pair> follow(pg_connection& db, credential_id id);

// Locks the leases of both, in order, until the transaction ends. False: one of them is held by
// somebody else; `held` is the caller's own credential (0: none).
[[nodiscard]] bool lock_leases(pg_connection& db, const succession_pair& p, credential_id held);

// `who` has decided: removes the operations that the new credential speaks for, or records that the
// two are not one. In the caller's transaction, which holds the leases.
void apply_decision(pg_connection& db, const succession_pair& p, bool confirmed,
                    const std::string& who);

// What a person looks at; empty texts for none.
struct operation {
  std::string id, day, amount, currency, description;
};

// Operations that one of the two shows and the other does not, on days that both have read.
struct unpaired_operations {
  std::vector<operation> from, to;          // the newest
  std::int64_t from_rows = 0, to_rows = 0;  // how many there are
};

// At most `limit` of each. Those of a succession that is open: a confirmed one has removed its own.
[[nodiscard]] unpaired_operations unpaired(pg_connection& db, const succession_pair& p, int limit);

}  // namespace flanks::successions
