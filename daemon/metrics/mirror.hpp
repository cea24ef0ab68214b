// What the database says of the mirror as a whole (sync/gauges.hpp), as metrics.
#pragma once

#include "daemon/metrics/families.hpp"
#include "sync/gauges.hpp"

namespace flanks {

// Null: nothing is known, and the families are only named.
void add_gauges(const mirror_gauges* known, families& to);

}  // namespace flanks
