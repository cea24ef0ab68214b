// The rate limit that all processes of the database share (flanks_internal.rate_limit).
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>

#include "db/pg/options.hpp"
#include "sync/rate_grants.hpp"

namespace flanks {

// On a connection of its own, opened at the first question: a request's turn must not wait for rows
// that are being written. The rules of make_store() apply.
[[nodiscard]] std::unique_ptr<rate_grants> make_rate_grants(boost::asio::any_io_executor loop,
                                                            db_options options);

}  // namespace flanks
