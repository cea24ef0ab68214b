#include "db/requests.hpp"

#include <algorithm>

namespace flanks {

bool is_plain(const window_request& r, const absent_rows& absent) {
  return r.evidence.last_part && absent.none() && !r.evidence.remember_days &&
         r.record.how == outcome::ok &&
         std::all_of(r.answer.begin(), r.answer.end(),
                     [](const transaction_batch& b) { return b.rejected.empty(); });
}

}  // namespace flanks
