// What this process has done: windows, lists, rows, failures. Counted as they end.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "daemon/metrics/families.hpp"
#include "sync/store.hpp"

namespace flanks {

class work_metrics {
 public:
  work_metrics();
  void count(const run_record& record);
  void count(const product_run& run);
  void count_unrecorded() { unrecorded_.Increment(); }
  void collect(families& to) const;

 private:
  prometheus::Registry registry_;
  counter_family &runs_, &windows_, &rows_, &lists_, &list_rows_, &written_;
  prometheus::Counter& unrecorded_;
  std::map<std::string, std::int64_t> failures_;  // by error_class
};

}  // namespace flanks
