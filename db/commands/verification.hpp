// The `proof_store` of the engine over PostgreSQL. PostgreSQL itself compares: the provider's rows
// go by COPY into a temporary table with the types of flanks.transactions, so that 1.0 equals 1.00
// and {"a": 1} equals {"a":1} exactly where a reader of the mirror would say so, no hash of ours is
// trusted, the provider's order does not matter, and our memory holds one megabyte of rows whatever
// the window's size. The temporary tables end with their transaction.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>

#include "db/pg/options.hpp"
#include "sync/proof.hpp"

namespace flanks {

// With connections of its own; opens nothing yet. Use it on the executor's thread only. Destroy it
// after the loop has run out of work and before the loop's context.
[[nodiscard]] std::unique_ptr<proof_store> make_proof_store(boost::asio::any_io_executor loop,
                                                            db_options options);

}  // namespace flanks
