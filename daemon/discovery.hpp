// Registers what the provider lists, again and again while the daemon runs
// (sync.discover_interval).
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>

#include "daemon/log.hpp"
#include "sync/arrivals.hpp"

namespace flanks {

// Until cancelled. `interval` and `limits` are read again at every turn, so that a reload takes
// effect; an interval of zero or less: not now. What fails is logged and tried again an interval
// later: credentials that are known do not wait for it.
[[nodiscard]] boost::asio::awaitable<void> discover_on_schedule(
    credential_source& from, credential_book& into, engine_clock& clock, log& events,
    const std::chrono::seconds& interval, const sync_limits& limits);

}  // namespace flanks
