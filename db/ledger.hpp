// window_ledger over a lane: buffers what arrives, takes a lane only when there is enough to write,
// so that waiting for a slow provider holds none. An answer that was buffered whole and says what
// is stored needs no lane of its own.
#pragma once

#include <memory>

#include "db/group_commit.hpp"
#include "db/lane.hpp"
#include "db/open_windows.hpp"
#include "db/window_writer.hpp"

namespace flanks {

// `quiet` outlives the ledger: where windows that bring nothing are put on record together.
[[nodiscard]] std::unique_ptr<window_ledger> make_ledger(std::shared_ptr<lane_pool> lanes,
                                                         group_commit& quiet,
                                                         std::unique_ptr<open_windows::place> place,
                                                         window_scope scope);

}  // namespace flanks
