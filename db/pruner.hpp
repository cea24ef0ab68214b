// Pruning (db/prune.hpp) for the event loop: a batch at a time, on a connection of its own.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <memory>

#include "db/pg/options.hpp"
#include "db/prune.hpp"

namespace flanks {

// Use it on the executor's thread only, for one call at a time. Throws `failure`.
class pruner {
 public:
  virtual ~pruner() = default;
  // True for one daemon a day: it is his to prune.
  virtual boost::asio::awaitable<bool> claim() = 0;
  // One step of `pass`, which outlives it.
  virtual boost::asio::awaitable<pruning::progress> step(pruning& pass) = 0;
};

// Opens nothing yet: the first call does; destroyed, it closes its connection.
[[nodiscard]] std::unique_ptr<pruner> make_pruner(boost::asio::any_io_executor loop,
                                                  db_options options);

}  // namespace flanks
