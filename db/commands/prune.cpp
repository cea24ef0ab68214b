#include "db/commands/prune.hpp"

#include "db/commands/run_explained.hpp"

namespace flanks {

std::vector<pruned_rows> prune_now(const db_options& options, const retention_ages& keep,
                                   pruning::mode how) {
  return on_own_connection(options, [&](pg_connection& db) {
    pruning pass(keep, how);
    while (pass.step(db) != pruning::progress::done) {
    }
    return pass.report();
  });
}

}  // namespace flanks
