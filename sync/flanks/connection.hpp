// One TCP connection to the provider, with or without TLS: open, write, read, close. Every wait has
// its deadline. It knows bytes, not HTTP.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <cstdint>
#include <optional>
#include <string_view>

#include "sync/failure.hpp"
#include "sync/flanks/api.hpp"
#include "sync/flanks/resolver.hpp"
#include "sync/flanks/tls.hpp"
#include "sync/flanks/watchdog.hpp"

namespace flanks {

// What a connection holds that nobody has read yet.
enum class unread : std::uint8_t { nothing, bytes, end };

// All waits throw failure when the network fails or their deadline passes, and system_error
// operation_aborted when the coroutine is cancelled. After either the connection is of no use.
class connection {
 public:
  // `tls` null: plain text.
  connection(boost::asio::any_io_executor executor, const origin& where, tls_client* tls,
             const api_timeouts& timeouts);
  ~connection();
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  // A request begins: it must be over in timeouts.total.
  void begin_request();
  boost::asio::awaitable<void> open(address_book::addresses addresses);
  boost::asio::awaitable<void> write(std::string_view bytes);
  // At least one byte; 0 when the other side has closed. `first`: of the response.
  boost::asio::awaitable<std::size_t> read(char* into, std::size_t room, bool first);
  // The request is over; the connection may rest.
  void end_request();
  // Looks, without waiting, at what has come that read() has not given yet: on the socket, and in
  // TLS behind it. `bytes`: the first one is taken and put into `first`. `end`: closed or broken.
  [[nodiscard]] unread peek(char& first);
  // Whether the peer's TCP has acknowledged all that was written (ioctl SIOCOUTQ, tcp(7)). What it
  // sends in answer acknowledges the request: bytes that come before that answer something else.
  [[nodiscard]] bool all_acknowledged();
  void extend_total(watchdog::clock::duration by) { watchdog_.extend_total(by); }

  // Of the server, once open; nothing without TLS.
  [[nodiscard]] std::optional<certificate_facts> certificate();

  // Says goodbye; at most `limit`.
  boost::asio::awaitable<void> shutdown(std::chrono::milliseconds limit);
  void close();

 private:
  boost::asio::awaitable<void> connect(address_book::addresses addresses);
  boost::asio::awaitable<void> handshake();
  [[noreturn]] void fail(stage at, const boost::system::error_code& error, std::string_view doing);
  [[noreturn]] void fail_handshake(const boost::system::error_code& error);

  boost::asio::any_io_executor executor_;
  origin where_;
  tls_client* tls_client_;
  api_timeouts timeouts_;
  boost::asio::ip::tcp::socket socket_;
  std::optional<boost::asio::ssl::stream<boost::asio::ip::tcp::socket&>> tls_;
  watchdog watchdog_;
};

}  // namespace flanks
