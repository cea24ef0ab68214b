// Host name -> addresses, with a deadline of its own and a memory. Asio looks names up on one
// background thread and cannot interrupt a lookup: so whoever waits stops waiting at the deadline,
// the lookup goes on alone, and old addresses serve when a new lookup fails.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <memory>
#include <vector>

#include "sync/flanks/origin.hpp"

namespace flanks {

class address_book {
 public:
  using addresses = std::vector<boost::asio::ip::tcp::endpoint>;

  address_book(boost::asio::any_io_executor executor, origin where);
  ~address_book();
  address_book(const address_book&) = delete;
  address_book& operator=(const address_book&) = delete;

  // Never empty. Throws failure{resolve}: resolve_timeout, resolve_failed.
  boost::asio::awaitable<addresses> find(std::chrono::milliseconds timeout);

 private:
  struct state;
  void start_lookup();

  boost::asio::any_io_executor executor_;
  origin where_;
  std::shared_ptr<state> state_;  // shared with a lookup that outlives us
};

}  // namespace flanks
