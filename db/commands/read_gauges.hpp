// The `gauge_source` of the engine over PostgreSQL, on connections of its own: those who watch
// never take a connection from those who work, and a database that hangs under them leaves the work
// alone.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>

#include "db/pg/options.hpp"
#include "sync/gauges.hpp"

namespace flanks {

// Two connections at most, opened by the first questions, with deadlines of their own: 30 s for a
// statement, 2 s for a connection. Use it on the executor's thread only. Destroy it after the loop
// has run out of work and before the loop's context.
[[nodiscard]] std::unique_ptr<gauge_source> make_gauge_source(boost::asio::any_io_executor loop,
                                                              db_options options);

}  // namespace flanks
