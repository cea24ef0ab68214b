// The `credential_book` of sync/arrivals.hpp over PostgreSQL. Connections of its own, opened by the
// first call.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>

#include "db/pg/options.hpp"
#include "sync/arrivals.hpp"

namespace flanks {

// Use it on the executor's thread only; destroy it after the loop has run out of work and before
// the loop's context.
[[nodiscard]] std::unique_ptr<credential_book> make_credential_book(
    boost::asio::any_io_executor loop, db_options options);

}  // namespace flanks
