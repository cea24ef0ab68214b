// One HTTP/1.1 request with its deadlines, over a pool of kept-alive connections. It knows nothing
// of tokens, retries or JSON. Redirects are not followed.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "sync/flanks/api.hpp"
#include "sync/flanks/origin.hpp"
#include "sync/secret.hpp"

namespace flanks {

struct http_request {
  std::string method = "POST";
  std::string target;       // "/v0/token", without the origin's prefix
  secret body;              // JSON; none when empty
  secret bearer;            // access token; none when empty
  std::string traceparent;  // header of that name (W3C Trace Context)
  bool records = false;     // are asked for: an answer that repeats an earlier one is none
  bool fresh = false;       // only over a new connection
};

struct http_head {
  int status = 0;
  std::string retry_after, date, location;  // empty when absent
};

// The right to use one connection of the pool. Gives itself back.
class http_place {
 public:
  virtual ~http_place() = default;
};

// An answer whose head has come. Its connection is closed by the destructor, unless it was read to
// its end and accept() was called. Must outlive neither its place nor its client.
class http_response {
 public:
  virtual ~http_response() = default;
  [[nodiscard]] virtual const http_head& head() const = 0;
  // It came over a connection that had served another request before.
  [[nodiscard]] virtual bool rested() const = 0;
  // At its end: it did, and these are the bytes of an earlier answer.
  [[nodiscard]] virtual bool repeats() const = 0;
  // The next piece of the body, decoded; empty at its end. The view holds until the next call.
  // Throws failure: idle_timeout, total_timeout, truncated, response_too_large, bad_response ...
  virtual boost::asio::awaitable<std::string_view> read() = 0;
  // It says what was asked for: so nothing on its connection is out of step, and it may serve
  // another request.
  virtual void accept() = 0;
  // The time between these two is ours: the total deadline stands still.
  virtual void pause() = 0;
  virtual void resume() = 0;
};

class http_client {
 public:
  // Throws failure{configuration} (ca_file).
  http_client(boost::asio::any_io_executor executor, origin where, const api_options& options);
  ~http_client();
  http_client(const http_client&) = delete;
  http_client& operator=(const http_client&) = delete;

  // Waits in line for a connection's turn. Whoever has a place needs no other one, also for the
  // token call that his call turns out to need: so nobody waits in a circle. Throws failure
  // connection_wait_timeout.
  boost::asio::awaitable<std::unique_ptr<http_place>> enter();

  // Returns when the head of the response has come, whatever its status. One response at a time in
  // a place. Throws failure for every named wait (see api_timeouts) and for what is not HTTP; with
  // failure::rested when the connection that was tried had rested.
  boost::asio::awaitable<std::unique_ptr<http_response>> send(const http_place& place,
                                                              http_request request);

  boost::asio::awaitable<void> close();

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace flanks
