#include "sync/flanks/connection.hpp"

#include <fmt/format.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace flanks {

namespace asio = boost::asio;
namespace ssl = asio::ssl;
using boost::system::error_code;

connection::connection(asio::any_io_executor executor, const origin& where, tls_client* tls,
                       const api_timeouts& timeouts)
    : executor_(std::move(executor)),
      where_(where),
      tls_client_(tls),
      timeouts_(timeouts),
      socket_(executor_),
      watchdog_(executor_, socket_) {}

connection::~connection() {
  // OpenSSL spoils the session of a connection that ends without close_notify; since TLS 1.1 that
  // is no longer asked for (RFC 4346, 7.2.1), and the next connection would pay a full handshake.
  if (tls_) SSL_set_shutdown(tls_->native_handle(), SSL_SENT_SHUTDOWN);
  close();
}

void connection::close() {
  error_code ignored;
  socket_.close(ignored);
}

void connection::begin_request() {
  watchdog_.set_total(watchdog::clock::now() + timeouts_.total);
}

void connection::end_request() {
  watchdog_.disarm();
}

asio::awaitable<void> connection::open(address_book::addresses addresses) {
  asio::awaitable<void> connecting = connect(std::move(addresses));
  co_await std::move(connecting);
  error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket_.set_option(asio::socket_base::keep_alive(true), ignored);
  if (tls_client_ == nullptr) co_return;
  asio::awaitable<void> shaking = handshake();
  co_await std::move(shaking);
}

// One after the other, each with its share of the time, so that one dead address does not use up
// what the next one needs.
asio::awaitable<void> connection::connect(address_book::addresses addresses) {
  const auto until = watchdog::clock::now() + timeouts_.connect;
  error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const auto left = until - watchdog::clock::now();
    const auto share = std::chrono::ceil<std::chrono::milliseconds>(
        left / static_cast<std::int64_t>(addresses.size() - i));
    const asio::ip::tcp::endpoint to = addresses[i];
    error_code ignored;
    socket_.close(ignored);
    watchdog_.arm("connect_timeout", share);
    co_await socket_.async_connect(to, token);
    watchdog_.rest();
    if (!error) co_return;
    const bool cancelled = error == asio::error::operation_aborted;
    if (cancelled && watchdog_.expired() == nullptr) break;
  }
  fail(stage::connect, error, "connect to");
}

asio::awaitable<void> connection::handshake() {
  tls_.emplace(socket_, tls_client_->context());
  tls_client_->prepare(tls_->native_handle());
  // The same rule again, by Asio: two checks that would have to be broken together.
  tls_->set_verify_callback(ssl::host_name_verification(where_.host));
  error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  watchdog_.arm("tls_timeout", timeouts_.tls);
  co_await tls_->async_handshake(ssl::stream_base::client, token);
  watchdog_.rest();
  if (error) fail_handshake(error);
}

asio::awaitable<void> connection::write(std::string_view bytes) {
  error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  const asio::const_buffer buffer(bytes.data(), bytes.size());
  watchdog_.arm("send_timeout", timeouts_.idle);
  if (tls_) {
    co_await asio::async_write(*tls_, buffer, token);
  } else {
    co_await asio::async_write(socket_, buffer, token);
  }
  watchdog_.rest();
  if (error) fail(stage::send, error, "send to");
}

asio::awaitable<std::size_t> connection::read(char* into, std::size_t room, bool first) {
  error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  const asio::mutable_buffer buffer(into, room);
  watchdog_.arm(first ? "first_byte_timeout" : "idle_timeout",
                first ? timeouts_.first_byte : timeouts_.idle);
  std::size_t size = 0;
  if (tls_) {
    size = co_await tls_->async_read_some(buffer, token);
  } else {
    size = co_await socket_.async_read_some(buffer, token);
  }
  watchdog_.rest();
  // A TLS peer that hangs up without close_notify ends the bytes all the same; whether they were
  // all that belong together, HTTP and JSON say.
  if (error == asio::error::eof || error == ssl::error::stream_truncated) co_return 0;
  if (error) fail(first ? stage::first_byte : stage::receive, error, "read from");
  co_return size;
}

// A synchronous read of a socket that does not block goes through all layers where bytes may lie:
// what TLS has decrypted, what Asio has read ahead, the kernel. What belongs to TLS alone (session
// tickets) is consumed on the way.
unread connection::peek(char& first) {
  error_code error;
  socket_.non_blocking(true, error);
  if (error) return unread::end;
  const asio::mutable_buffer one(&first, 1);
  const std::size_t size = tls_ ? tls_->read_some(one, error) : socket_.read_some(one, error);
  if (size > 0) return unread::bytes;
  return error == asio::error::would_block ? unread::nothing : unread::end;
}

bool connection::all_acknowledged() {
  int outstanding = 0;
  return ::ioctl(socket_.native_handle(), SIOCOUTQ, &outstanding) != 0 || outstanding == 0;
}

std::optional<certificate_facts> connection::certificate() {
  return tls_ ? certificate_of(tls_->native_handle()) : std::nullopt;
}

asio::awaitable<void> connection::shutdown(std::chrono::milliseconds limit) {
  if (tls_ && socket_.is_open()) {
    error_code ignored;
    auto token = asio::redirect_error(asio::use_awaitable, ignored);
    watchdog_.set_total(watchdog::clock::time_point::max());
    watchdog_.arm("shutdown_timeout", limit);
    co_await tls_->async_shutdown(token);
    watchdog_.disarm();
  }
  close();
}

void connection::fail(stage at, const error_code& error, std::string_view doing) {
  const char* const expired = watchdog_.expired();
  if (error == asio::error::operation_aborted && expired == nullptr) {
    throw boost::system::system_error(error);
  }
  const std::string who = where_.authority();
  if (expired != nullptr) {
    const std::string_view waited{expired};
    const char* const what = waited == "total_timeout"        ? "the request is not done after"
                             : waited == "first_byte_timeout" ? "no answer began within"
                                                              : "nothing came of it within";
    throw failure{
        at, verdict::retry, expired,
        fmt::format("cannot {} {}: {} {} ms", doing, who, what, watchdog_.limit().count())};
  }
  const bool refused = error == asio::error::connection_refused;
  const bool lost = error == asio::error::connection_reset || error == asio::error::broken_pipe ||
                    error == asio::error::connection_aborted;
  const char* const name = refused                ? "connect_refused"
                           : at == stage::connect ? "connect_failed"
                           : lost                 ? "connection_reset"
                                                  : "io_error";
  throw failure{at, verdict::retry, name,
                fmt::format("cannot {} {}: {}", doing, who, error.message())};
}

void connection::fail_handshake(const error_code& error) {
  const std::string objection = certificate_objection(tls_->native_handle());
  const bool waited = watchdog_.expired() != nullptr || error == asio::error::operation_aborted;
  if (waited || objection.empty()) fail(stage::tls, error, "agree on TLS with");
  const char* const name = certificate_class(tls_->native_handle());
  throw failure{stage::tls, verdict::stop, name,
                fmt::format("certificate of {} is not trusted: {}", where_.authority(), objection)};
}

}  // namespace flanks
