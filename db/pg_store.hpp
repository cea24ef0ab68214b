// The `store` of the engine over PostgreSQL. Nothing of libpq shows here.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>

#include "db/pg/options.hpp"
#include "sync/store.hpp"

namespace flanks {

// Opens nothing yet: the first call does. Use it on the executor's thread only. Destroy it after
// the loop has run out of work and before the loop's context (declare it after the io_context): the
// destructor waits for jobs that run.
[[nodiscard]] std::unique_ptr<store> make_store(boost::asio::any_io_executor loop,
                                                db_options options);

}  // namespace flanks
