// What windows that end well mean beside their rows: coverage, watermark, when their credentials
// were read last, and the items of a backfill plan. Many at once, or one.
#pragma once

#include "db/pg/array_columns.hpp"
#include "db/windows/window.hpp"
#include "sync/diff.hpp"

namespace flanks {

class covered_windows {
 public:
  // `new_data`: rows of it were written. No two of one credential.
  void add(const window_scope& scope, const window_diff& diff, const run_record& record,
           const window_evidence& evidence, bool new_data);
  // What writes it, in the transaction that holds the leases of all. Ends them.
  [[nodiscard]] call take();

 private:
  array_columns rows_;
};

}  // namespace flanks
