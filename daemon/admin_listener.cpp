#include "daemon/admin_listener.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <list>
#include <optional>
#include <utility>
#include <vector>

#include "daemon/admin_hosts.hpp"
#include "daemon/listening_socket.hpp"
#include "daemon/task_group.hpp"

namespace flanks {

namespace {

namespace asio = boost::asio;
namespace chr = std::chrono;
namespace http = boost::beast::http;
using asio::awaitable;
using error_code = boost::system::error_code;
using protocol = listening_socket::protocol;
using parser = http::request_parser<http::empty_body>;
using response = http::response<http::string_body>;
using clock = chr::steady_clock;

constexpr std::size_t most_connections = 16;
constexpr std::uint32_t head_limit = 8 * 1024;
constexpr std::size_t buffer_limit = 16 * 1024;
constexpr chr::seconds request_limit{5}, idle_limit{120}, answer_limit{10}, linger_time{1},
    stop_limit{2}, send_grace{1};

// Our own files alone, and nobody may show us in a frame (CSP Level 3).
constexpr const char* content_policy =
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

response message(const admin_answer& from, unsigned version, bool keep_alive) {
  response r(static_cast<http::status>(from.status), version);
  r.set(http::field::content_type, from.type);
  r.set(http::field::cache_control, "no-store");
  r.set("X-Content-Type-Options", "nosniff");
  r.set("Content-Security-Policy", content_policy);
  r.set("Referrer-Policy", "no-referrer");
  r.set("X-Frame-Options", "DENY");
  r.set("Cross-Origin-Resource-Policy", "same-origin");
  r.set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()");
  if (from.status == 401)
    r.set(http::field::www_authenticate, "Basic realm=\"flanks-sync\", charset=\"UTF-8\"");
  if (from.status == 405) r.set(http::field::allow, "GET, HEAD");
  if (from.retry_after > 0) r.set(http::field::retry_after, std::to_string(from.retry_after));
  r.keep_alive(keep_alive);
  r.body() = from.body;
  r.prepare_payload();
  return r;
}

// What is said about a head that is none; nothing when nobody would hear it.
std::optional<admin_answer> complaint_about(const error_code& error) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow)
    return admin_answer{431, "the head of the request is longer than 8 KiB\n"};
  const bool of_http = error.category() == make_error_code(http::error::bad_method).category();
  if (!of_http || error == http::error::end_of_stream || error == http::error::partial_message)
    return std::nullopt;
  return admin_answer{400, "this is not an HTTP request: " + error.message() + "\n"};
}

// Who is at the other end, for people.
std::string peer_of(const protocol::socket& socket) {
  error_code error;
  const auto peer = socket.remote_endpoint(error);
  if (error) return "an address that is gone";
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* address = nullptr;
  if (peer.protocol().family() == AF_INET)
    address = &reinterpret_cast<const sockaddr_in*>(peer.data())->sin_addr;
  if (peer.protocol().family() == AF_INET6)
    address = &reinterpret_cast<const sockaddr_in6*>(peer.data())->sin6_addr;
  if (address == nullptr) return "the unix socket";
  if (::inet_ntop(peer.protocol().family(), address, text.data(), text.size()) == nullptr)
    return "an unknown address";
  return text.data();
}

// One connection, and the wait that it is in.
struct visit {
  explicit visit(protocol::socket s) : socket(std::move(s)) {}

  protocol::socket socket;
  boost::beast::flat_buffer buffer{buffer_limit};
  const char* wait = nullptr;  // its name; null: it waits for nothing from the other side
  clock::time_point due = clock::time_point::max();
  clock::time_point since = clock::now();  // the last request or answer, or the beginning
  bool answering = false;
  bool sending = false;  // the answer is made: only the other side keeps it waiting
  bool ended = false;    // by us: closed, only its coroutine does not know yet

  // For another one that wants its place.
  [[nodiscard]] bool may_go(clock::time_point now) const {
    return !answering || (sending && now - since > send_grace);
  }

  void end() {
    ended = true;
    error_code ignored;
    socket.close(ignored);
  }
};

class beast_listener final : public admin_listener {
 public:
  beast_listener(const asio::any_io_executor& executor, const config::admin_settings& where,
                 admin_pages pages, log& events)
      : executor_(executor),
        pages_(std::move(pages)),
        events_(events),
        hosts_(where),
        listening_(executor, where.listen),
        sweep_(executor),
        group_(executor) {}

  [[nodiscard]] const std::string& where() const override { return listening_.where(); }

  awaitable<void> serve() override {
    group_.spawn(keep_deadlines());
    std::exception_ptr error;
    try {
      co_await accept();
    } catch (...) {
      error = std::current_exception();
    }
    const auto shield = shield_from_cancellation();
    co_await shield;
    co_await say_goodbye();
    if (error) std::rethrow_exception(error);
  }

 private:
  using place = std::list<visit>::iterator;

  awaitable<void> accept() {
    for (;;) {
      protocol::socket socket(executor_);
      error_code error;
      auto token = asio::redirect_error(asio::use_awaitable, error);
      co_await listening_.acceptor().async_accept(socket, token);
      if (error) {
        co_await rest_after(error);
        continue;
      }
      while (visits_.size() >= most_connections) {
        end_longest_waiting();
        co_await group_.wait(chr::seconds{1});
      }
      const place mine = visits_.emplace(visits_.end(), std::move(socket));
      group_.spawn(attend(mine));
    }
  }

  // Out of descriptors, say. (Of a cancellation the sleep throws.)
  awaitable<void> rest_after(error_code error) {
    events_.warn(event::admin_connection_refused, {{"error", error.message()}});
    asio::steady_timer timer(executor_, chr::seconds{1});
    co_await timer.async_wait(asio::use_awaitable);
  }

  // Answers that are on their way go out; everybody else is let go.
  awaitable<void> say_goodbye() {
    stopping_ = true;
    listening_.close();
    for (visit& v : visits_)
      if (!v.answering) v.end();
    const auto until = clock::now() + stop_limit;
    while (!visits_.empty() && clock::now() < until)
      co_await group_.wait(until - clock::now());
    group_.cancel();
    co_await group_.join();
  }

  void end_longest_waiting() {
    visit* longest = nullptr;
    const auto now = clock::now();
    for (visit& v : visits_) {
      if (v.ended) return;  // its place will be free in a moment
      if (v.may_go(now) && (longest == nullptr || v.since < longest->since)) longest = &v;
    }
    if (longest != nullptr) longest->end();
  }

  // One timer for all: whoever waits for longer than allowed is closed.
  awaitable<void> keep_deadlines() {
    for (;;) {
      clock::time_point next = clock::time_point::max();
      for (visit& v : visits_) {
        if (v.wait == nullptr || v.ended) continue;
        if (v.due <= clock::now()) {
          events_.debug("an admin connection ran out of time", {{"wait", v.wait}});
          v.end();
        } else {
          next = std::min(next, v.due);
        }
      }
      sweep_.expires_at(next);
      error_code woken;
      auto token = asio::redirect_error(asio::use_awaitable, woken);
      co_await sweep_.async_wait(token);
    }
  }

  void wait_begins(visit& v, const char* name, chr::seconds limit) {
    v.wait = name;
    v.due = clock::now() + limit;
    if (v.due < sweep_.expiry()) sweep_.cancel();
  }

  awaitable<void> attend(place mine) {
    try {
      co_await converse(*mine);
    } catch (const boost::system::system_error&) {
      // cancelled
    } catch (const std::exception& e) {
      events_.error(event::admin_request_failed, {{"error", e.what()}});
    }
    visits_.erase(mine);
  }

  awaitable<void> converse(visit& v) {
    for (bool first = true; !stopping_ && !v.ended; first = false) {
      if (!first && v.buffer.size() == 0) {
        const bool more = co_await another(v);
        if (!more) co_return;
      }
      parser request;
      request.header_limit(head_limit);
      request.body_limit(
          boost::none);  // none is read: how long it claims to be is no mistake of HTTP
      error_code error;
      wait_begins(v, "request_timeout", request_limit);
      auto token = asio::redirect_error(asio::use_awaitable, error);
      co_await http::async_read_header(v.socket, v.buffer, request, token);
      v.wait = nullptr;
      v.answering = true;
      const bool go_on = co_await reply(v, request, error);
      v.answering = false;
      v.since = clock::now();
      if (!go_on) break;
    }
    co_await linger(v);
  }

  // Whether there is another request on this connection.
  awaitable<bool> another(visit& v) {
    error_code error;
    wait_begins(v, "idle_timeout", idle_limit);
    auto token = asio::redirect_error(asio::use_awaitable, error);
    co_await v.socket.async_wait(protocol::socket::wait_read, token);
    v.wait = nullptr;
    co_return !error && !v.ended;
  }

  // True when the connection may be used again.
  awaitable<bool> reply(visit& v, parser& request, error_code error) {
    if (v.ended) co_return false;
    std::optional<admin_answer> refusal;
    if (error) {
      refusal = complaint_about(error);
      if (!refusal) co_return false;
    } else {
      refusal = objection_to(request);
    }
    const bool head = !error && request.get().method() == http::verb::head;
    const unsigned version = !error && request.get().version() < 11 ? 10 : 11;
    const bool keep = !refusal && !stopping_ && request.get().keep_alive();
    if (!refusal) {
      auto answering = pages_(request_of(request, v.socket));
      refusal = co_await std::move(answering);
    }
    response answer = message(*refusal, version, keep);
    const bool sent = co_await send(v, answer, head);
    co_return sent&& keep;
  }

  [[nodiscard]] static admin_request request_of(const parser& from,
                                                const protocol::socket& socket) {
    admin_request asked;
    const std::string_view target(from.get().target());
    const std::size_t end = std::min(target.size(), target.find('?'));
    asked.path = target.substr(0, end);
    if (end < target.size()) asked.query = target.substr(end + 1);
    const auto& fields = from.get();
    if (fields.count(http::field::authorization) == 1)
      asked.authorization = std::string(fields[http::field::authorization]);
    const std::string_view accepted(fields[http::field::accept]);
    asked.wants_html = accepted.find("text/html") != std::string_view::npos;
    asked.from = peer_of(socket);
    return asked;
  }

  // The host comes first: whoever asks for another one learns nothing else.
  [[nodiscard]] std::optional<admin_answer> objection_to(const parser& request) {
    const auto [first, last] = request.get().equal_range(http::field::host);
    std::vector<std::string> hosts;
    for (auto field = first; field != last; ++field)
      hosts.emplace_back(field->value());
    auto wrong_host = hosts_.objection(request.get().version() < 11, hosts);
    if (wrong_host) {
      note_refused(hosts);
      return wrong_host;
    }
    // What says how long a body is in a way that others may read differently is not guessed at.
    if (request.get().count(http::field::transfer_encoding) > 0)
      return admin_answer{400, "a request has no body here, and no Transfer-Encoding\n"};
    const http::verb method = request.get().method();
    if (method != http::verb::get && method != http::verb::head)
      return admin_answer{405, "there is nothing to change here: only GET and HEAD\n"};
    if (!request.is_done()) return admin_answer{413, "a request has no body here\n"};
    return std::nullopt;
  }

  // Once: what scrapes us shows its operator the status alone, and goes on asking.
  void note_refused(const std::vector<std::string>& hosts) {
    if (std::exchange(told_of_refusal_, true)) return;
    events_.warn(event::foreign_host,
                 {{"host", hosts.empty() ? std::string() : repeatable(hosts.front())},
                  {"hint", "name the host in admin.hosts when it is meant for this daemon"}});
  }

  awaitable<bool> send(visit& v, response& answer, bool only_head) {
    error_code error;
    wait_begins(v, "answer_timeout", answer_limit);
    v.since = clock::now();
    v.sending = true;
    auto token = asio::redirect_error(asio::use_awaitable, error);
    http::response_serializer<http::string_body> serializer(answer);
    if (only_head) {
      co_await http::async_write_header(v.socket, serializer, token);
    } else {
      co_await http::async_write(v.socket, serializer, token);
    }
    v.sending = false;
    v.wait = nullptr;
    co_return !error && !v.ended;
  }

  // Closing with bytes unread would be a reset, and take away what was just said.
  awaitable<void> linger(visit& v) {
    error_code error;
    v.socket.shutdown(protocol::socket::shutdown_send, error);
    std::array<char, 4096> bytes;
    wait_begins(v, "linger", linger_time);
    while (!error && !v.ended) {
      const auto into = asio::buffer(bytes);
      auto token = asio::redirect_error(asio::use_awaitable, error);
      co_await v.socket.async_read_some(into, token);
    }
    v.wait = nullptr;
  }

  asio::any_io_executor executor_;
  admin_pages pages_;
  log& events_;
  admin_hosts hosts_;
  bool told_of_refusal_ = false;
  listening_socket listening_;
  asio::steady_timer sweep_;
  std::list<visit> visits_;
  task_group group_;
  bool stopping_ = false;
};

}  // namespace

std::unique_ptr<admin_listener> make_admin_listener(const asio::any_io_executor& executor,
                                                    const config::admin_settings& where,
                                                    admin_pages pages, log& events) {
  return std::make_unique<beast_listener>(executor, where, std::move(pages), events);
}

}  // namespace flanks
