// One whole pass of pruning (db/prune.hpp), at once. Blocks; opens a connection of its own. Throws
// `failure`.
#pragma once

#include <vector>

#include "db/pg/options.hpp"
#include "db/prune.hpp"

namespace flanks {

[[nodiscard]] std::vector<pruned_rows> prune_now(const db_options& options,
                                                 const retention_ages& keep, pruning::mode how);

}  // namespace flanks
