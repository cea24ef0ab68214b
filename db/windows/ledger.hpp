// window_ledger over a connection: buffers what arrives, takes a connection only when there is more
// than is to be held in memory, so that waiting for a slow provider holds none. An answer that was
// buffered whole is written together with others'.
#pragma once

#include <memory>

#include "db/pg/connection_pool.hpp"
#include "db/window_permits.hpp"
#include "db/windows/window.hpp"
#include "db/write_batcher.hpp"

namespace flanks {

// `windows` outlives it.
[[nodiscard]] std::unique_ptr<window_ledger> make_ledger(
    std::shared_ptr<pg_connection_pool> pool, write_batcher& windows,
    std::unique_ptr<window_permits::permit> permit, window_scope scope);

}  // namespace flanks
