// window_ledger over a lane: buffers what arrives, takes a lane only when there is enough to write,
// so that waiting for a slow provider holds none.
#pragma once

#include <memory>

#include "db/lane.hpp"
#include "db/window_writer.hpp"

namespace flanks {

[[nodiscard]] std::unique_ptr<window_ledger> make_ledger(std::shared_ptr<lane_pool> lanes,
                                                         window_scope scope);

}  // namespace flanks
