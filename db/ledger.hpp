// window_ledger over a lane: buffers what arrives, takes a lane only when there is enough to write,
// so that waiting for a slow provider holds none. An answer that was buffered whole is settled
// together with others where it can be: then it needs no lane of its own.
#pragma once

#include <memory>

#include "db/group_commit.hpp"
#include "db/lane.hpp"
#include "db/open_windows.hpp"
#include "db/window_writer.hpp"

namespace flanks {

// Where windows are settled together. They outlive the ledgers.
struct window_groups {
  group_commit& quiet;    // those that bring nothing
  group_commit& changed;  // those that bring some rows
};

[[nodiscard]] std::unique_ptr<window_ledger> make_ledger(std::shared_ptr<lane_pool> lanes,
                                                         window_groups groups,
                                                         std::unique_ptr<open_windows::place> place,
                                                         window_scope scope);

}  // namespace flanks
