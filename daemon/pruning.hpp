// Deletes what `retention:` no longer keeps while the daemon runs: once a day, one of all daemons.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "daemon/log.hpp"
#include "db/pg/options.hpp"
#include "sync/clock.hpp"
#include "sync/retention.hpp"

namespace flanks {

// Until cancelled, which takes effect between two batches. `keep` is read again at every pass, so
// that a reload takes effect. What fails is logged; what is left over goes the next day.
[[nodiscard]] boost::asio::awaitable<void> prune_on_schedule(boost::asio::any_io_executor executor,
                                                             const db_options& options,
                                                             engine_clock& clock, log& events,
                                                             const retention_ages& keep);

}  // namespace flanks
