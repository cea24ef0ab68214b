// The Flanks API as the engine needs it. Throws `failure` when the provider or the network fails;
// what it returns is always a whole, well-formed, 2xx answer. Every call is a coroutine on the one
// event loop.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <optional>

#include "sync/product.hpp"
#include "sync/trace.hpp"
#include "sync/transaction.hpp"
#include "sync/types.hpp"

namespace flanks {

// Over which connection to the provider a request may go. `fresh`: a new one, on which nothing of
// an earlier request can be waiting.
enum class connection_use : std::uint8_t { any, fresh };

// Whose data is asked for, and the trace of the run that asks. Both must outlive the call.
struct access {
  const secret& credentials_token;
  const trace_id& trace;
};

// Takes the records of a response as they come in. While take() is awaited, nothing more is read
// from the socket.
class batch_sink {
 public:
  virtual ~batch_sink() = default;
  // Ownership passes. May throw; the request is then closed and the exception travels to the caller
  // of transactions().
  virtual boost::asio::awaitable<void> take(transaction_batch batch) = 0;
};

// What a whole response was.
struct response_summary {
  std::int64_t elements = 0;       // array elements, stored or rejected
  std::int64_t bytes = 0;          // of the body, after transfer decoding
  bool rested_connection = false;  // it came over one that has served another request
  bool repeats = false;            // ... with the bytes of an earlier answer, head included
};

class flanks_api {
 public:
  virtual ~flanks_api() = default;

  // POST /v0/bank/credentials/status (API contract, section 2).
  virtual boost::asio::awaitable<credential_status> status(const access& to) = 0;

  // Whether transactions() can be asked for a part of history. Where the deployment of the provider
  // has no filter by day, it hands on all history for every window. May have to ask the provider.
  virtual boost::asio::awaitable<bool> takes_windows(const access& to) = 0;

  // The transactions of one product whose operationDate lies in `days` (API contract, section 3).
  // Hands them on in batches; when this returns, every array element was handed on and the array
  // was closed. When it throws, what was handed on must be forgotten.
  virtual boost::asio::awaitable<response_summary> transactions(const access& to, product what,
                                                                window days, connection_use over,
                                                                batch_sink& sink) = 0;

  // The products of one kind (API contract, section 3), whole. Throws also when the list is longer
  // than 8 MiB.
  virtual boost::asio::awaitable<product_batch> products(const access& to, product_kind kind,
                                                         connection_use over) = 0;
  // GET /v0/bank/available: the banks that the provider knows, in the columns of entity_columns().
  virtual boost::asio::awaitable<product_batch> entities(const trace_id& trace) = 0;

  // Gets an access token now if there is none that is fresh (used by `doctor` and at start).
  virtual boost::asio::awaitable<void> authenticate() = 0;

  // Closes idle connections with a TLS shutdown of at most two seconds. No call may be in flight.
  virtual boost::asio::awaitable<void> close() = 0;
};

}  // namespace flanks
