// Records that could not be stored as they came. Blocks; throws sql_problem.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "db/session.hpp"
#include "sync/transaction.hpp"

namespace flanks {

// Writes them in the open transaction. `part` is "transactions" or "products": what the records of
// the `product` are. The same record again is only noted.
void quarantine(session& db, credential_id credential, std::string_view product,
                std::string_view part, const std::string& run,
                std::span<const rejected_record> rejected);

}  // namespace flanks
