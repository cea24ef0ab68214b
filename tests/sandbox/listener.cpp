// Beast reads the requests; answers are written byte by byte by hand, because a test wants answers
// that no correct library would send.
#include "tests/sandbox/listener.hpp"

#include <unistd.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <functional>
#include <stdexcept>

#include "tests/sandbox/json_text.hpp"

namespace sandbox {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using error_code = boost::system::error_code;
using plain_stream = tcp::socket;
using tls_stream = asio::ssl::stream<tcp::socket>;

std::string http_date() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[40];
  const auto size = std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text, size};
}

std::string head_of(const reply& answer, const std::string& framing) {
  std::string out = "HTTP/1.1 ";
  append_number(out, answer.status);
  out += ' ';
  const auto reason = http::obsolete_reason(http::int_to_status(answer.status));
  out.append(reason.data(), reason.size());
  static std::uint64_t answers = 0;
  out += "\r\nServer: flanks-sandbox\r\nX-Request-Id: ";
  append_number(out, ++answers);
  out += "\r\nDate: ";
  out += http_date();
  out += "\r\nContent-Type: ";
  out += answer.content_type;
  out += "\r\n";
  for (const auto& [name, value] : answer.headers) {
    out += name;
    out += ": ";
    out += value;
    out += "\r\n";
  }
  out += framing;
  out += "\r\n";
  return out;
}

std::string trailers_of(unsigned count) {
  std::string out;
  for (unsigned i = 0; i < count; ++i) {
    out += "X-Trailer-";
    append_number(out, i);
    out += ": ";
    out.append(100, 'x');
    out += "\r\n";
  }
  return out;
}

// One answer on its way out: frames the pieces, counts the bytes, stops where the conduct says.
template <class Stream>
class sending {
 public:
  sending(Stream& stream, reply& answer) : stream_(stream), answer_(answer), wire_(answer.wire) {}

  // True when the answer went out whole and the connection can be used again.
  asio::awaitable<bool> run() {
    co_await pause(wire_.delay);
    if (wire_.stall_first_byte) {
      co_await stall();
      co_return false;
    }
    std::string piece;
    bool more = answer_.body->fill(piece);
    chunked_ = !wire_.with_length && (more || wire_.chunked || wire_.trailers > 0);
    out_ = head_of(answer_, framing(piece.size(), more));
    for (;;) {
      const bool stopped = frame(piece);
      const bool sent = co_await flush();
      if (!sent) co_return false;
      if (stopped) {
        co_await end_early();
        co_return false;
      }
      if (!more) break;
      piece.clear();
      more = answer_.body->fill(piece);
    }
    if (chunked_) {
      out_ = "0\r\n" + trailers_of(wire_.trailers) + "\r\n";
      const bool sent = co_await flush();
      if (!sent) co_return false;
    }
    // A length that was not true leaves a connection that nobody can use.
    co_return chunked_ || (wire_.length_delta == 0 && !wire_.with_length);
  }

  [[nodiscard]] std::uint64_t body_bytes() const { return body_bytes_; }
  // Every byte that went out, while they are few.
  [[nodiscard]] const std::string& transcript() const { return transcript_; }
  static constexpr std::size_t longest_transcript = 64 * 1024;

 private:
  // A large body has no known length. Where a Content-Length is wanted before a cut, any number
  // beyond the cut will do: the client cannot see what would have followed.
  [[nodiscard]] std::string framing(std::size_t first, bool more) const {
    if (chunked_) return "Transfer-Encoding: chunked\r\n";
    std::int64_t length = static_cast<std::int64_t>(first);
    if (more) length = static_cast<std::int64_t>(wire_.stop_after.value_or(0) + first + 4096);
    return "Content-Length: " +
           std::to_string(std::max<std::int64_t>(0, length + wire_.length_delta)) + "\r\n";
  }

  // Adds a piece to what goes out next; true when the conduct stops the answer inside it. A chunk
  // that is cut still announces its full size.
  bool frame(const std::string& piece) {
    std::string_view part = piece;
    const bool stops = wire_.stop_after && body_bytes_ + part.size() >= *wire_.stop_after;
    if (stops) part = part.substr(0, *wire_.stop_after - body_bytes_);
    if (chunked_ && !piece.empty()) {
      append_hex(out_, piece.size(), 8);
      out_ += "\r\n";
    }
    out_ += part;
    body_bytes_ += part.size();
    if (chunked_ && !piece.empty() && !stops) out_ += "\r\n";
    return stops;
  }

  asio::awaitable<bool> flush() {
    std::string_view left = out_;
    if (transcript_.size() + out_.size() <= longest_transcript) transcript_ += out_;
    while (!left.empty()) {
      // Dripping: ten times a second, at least one byte.
      const auto slice =
          wire_.bytes_a_second == 0
              ? left.size()
              : std::min<std::size_t>(left.size(),
                                      std::max<std::size_t>(1, wire_.bytes_a_second / 10));
      error_code error;
      const auto buffer = asio::buffer(left.data(), slice);
      auto token = asio::redirect_error(asio::use_awaitable, error);
      co_await asio::async_write(stream_, buffer, token);
      if (error) co_return false;
      left.remove_prefix(slice);
      const auto rest = std::chrono::milliseconds(
          wire_.bytes_a_second == 0 ? 0
                                    : std::max<std::uint64_t>(100, 1000 / wire_.bytes_a_second));
      if (!left.empty()) co_await pause(rest);
    }
    out_.clear();
    co_return true;
  }

  asio::awaitable<void> pause(std::chrono::milliseconds time) {
    if (time.count() == 0) co_return;
    asio::steady_timer timer{stream_.get_executor(), time};
    error_code ignored;
    auto token = asio::redirect_error(asio::use_awaitable, ignored);
    co_await timer.async_wait(token);
  }

  // Silent until the client gives up.
  asio::awaitable<void> stall() {
    error_code error;
    char bytes[1024];
    const auto buffer = asio::buffer(bytes);
    while (!error) {
      auto token = asio::redirect_error(asio::use_awaitable, error);
      co_await stream_.async_read_some(buffer, token);
    }
  }

  asio::awaitable<void> end_early() {
    error_code ignored;
    auto& socket = stream_.lowest_layer();
    if (wire_.at_stop == conduct::ending::stall) co_await stall();
    if (wire_.at_stop == conduct::ending::reset)
      socket.set_option(asio::socket_base::linger(true, 0), ignored);
    socket.close(ignored);
  }

  Stream& stream_;
  reply& answer_;
  const conduct& wire_;
  bool chunked_ = false;
  std::string out_;
  std::string transcript_;
  std::uint64_t body_bytes_ = 0;
};

// What each connection was answered last: for an answer that goes to the wrong one.
struct last_answers {
  std::string newest, older;  // of two different connections
  const void* of_newest = nullptr;

  void note(const void* connection, const std::string& transcript) {
    if (connection != of_newest) older = newest;
    newest = transcript;
    of_newest = connection;
  }
  [[nodiscard]] const std::string& of_another(const void* connection) const {
    return connection == of_newest ? older : newest;
  }
};

std::string unasked_bytes(conduct::unasked what, const std::string& answer,
                          const std::string& foreign) {
  switch (what) {
    case conduct::unasked::repeat:
      return answer;
    case conduct::unasked::half:
      return answer.substr(0, answer.size() / 2);
    case conduct::unasked::timeout:
      return "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    case conduct::unasked::foreign:
      return foreign;
    case conduct::unasked::nothing:
      break;
  }
  return {};
}

// Rests, unless the next request (or the end) comes first: true when none has come.
asio::awaitable<bool> rest_undisturbed(tcp::socket::lowest_layer_type& socket,
                                       std::chrono::milliseconds time) {
  asio::steady_timer timer{socket.get_executor(), time};
  timer.async_wait([&socket](error_code cancelled) {
    error_code ignored;
    if (!cancelled) socket.cancel(ignored);
  });
  error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  co_await socket.async_wait(tcp::socket::wait_read, token);
  co_return error == asio::error::operation_aborted;
}

template <class Stream>
asio::awaitable<void> send_unasked(Stream& stream, const conduct& wire, std::string bytes) {
  bool quiet = true;
  if (wire.rest.count() > 0) {
    auto& socket = stream.lowest_layer();
    quiet = co_await rest_undisturbed(socket, wire.rest);
  }
  if (bytes.empty() || (!quiet && !wire.crossing)) co_return;
  error_code ignored;
  const auto buffer = asio::buffer(bytes);
  auto token = asio::redirect_error(asio::use_awaitable, ignored);
  co_await asio::async_write(stream, buffer, token);
}

request request_of(const http::request<http::string_body>& message) {
  request out;
  const auto text = [](auto view) { return std::string(view.data(), view.size()); };
  out.method = text(message.method_string());
  out.path = text(message.target());
  if (const auto mark = out.path.find('?'); mark != std::string::npos) {
    out.parameters = out.path.substr(mark + 1);
    out.path.resize(mark);
  }
  out.authorization = text(message[http::field::authorization]);
  out.content_type = text(message[http::field::content_type]);
  out.traceparent = text(message["traceparent"]);
  out.body = message.body();
  out.arrived = std::chrono::system_clock::now();
  return out;
}

// Requests and answers until one side has enough.
template <class Stream>
asio::awaitable<void> converse(Stream& stream, service& answers, last_answers& told) {
  boost::beast::flat_buffer buffer;
  for (;;) {
    http::request_parser<http::string_body> parser;
    parser.body_limit(std::uint64_t{64} << 20);
    error_code error;
    auto token = asio::redirect_error(asio::use_awaitable, error);
    co_await http::async_read(stream, buffer, parser, token);
    if (error) co_return;
    const bool keep = parser.get().keep_alive();
    const request asked = request_of(parser.get());
    reply answer = answers.answer(asked);
    if (!keep) answer.headers.emplace_back("Connection", "close");
    sending<Stream> out{stream, answer};
    const bool whole = co_await out.run();
    answers.answered(asked, answer, out.body_bytes(), whole);
    if (!whole || !keep) co_return;
    if (answer.wire.afterwards != conduct::unasked::nothing) {
      answer.in_flight.reset();
      std::string bytes =
          unasked_bytes(answer.wire.afterwards, out.transcript(), told.of_another(&stream));
      co_await send_unasked(stream, answer.wire, std::move(bytes));
    }
    const bool data = asked.path != "/v0/token" && !asked.path.starts_with("/_sandbox");
    if (data) told.note(&stream, out.transcript());
  }
}

// Says goodbye in TLS, but never waits long for the other side's goodbye.
asio::awaitable<void> say_goodbye(std::shared_ptr<tls_stream> stream) {
  if (!stream->lowest_layer().is_open()) co_return;
  const auto timer = std::make_shared<asio::steady_timer>(stream->get_executor());
  timer->expires_after(std::chrono::milliseconds(300));
  timer->async_wait([stream, timer](error_code cancelled) {
    error_code ignored;
    if (!cancelled) stream->lowest_layer().close(ignored);
  });
  error_code ignored;
  auto token = asio::redirect_error(asio::use_awaitable, ignored);
  co_await stream->async_shutdown(token);
  timer->cancel();
}

struct presence {
  explicit presence(service& answers) : answers_(answers) { answers_.connected(); }
  ~presence() { answers_.disconnected(); }
  presence(const presence&) = delete;
  presence& operator=(const presence&) = delete;
  service& answers_;
};

asio::awaitable<void> serve_plain(tcp::socket socket, service& answers, last_answers& told) {
  const presence here{answers};
  co_await converse(socket, answers, told);
}

asio::awaitable<void> serve_tls(tcp::socket socket, asio::ssl::context& tls, service& answers,
                                last_answers& told) {
  const presence here{answers};
  const auto stream = std::make_shared<tls_stream>(std::move(socket), tls);
  error_code error;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  const auto side = asio::ssl::stream_base::server;
  co_await stream->async_handshake(side, token);
  if (error) co_return;
  if (SSL_session_reused(stream->native_handle()) == 1) answers.resumed();
  co_await converse(*stream, answers, told);
  co_await say_goodbye(stream);
}

// Sessions are detached: they end with the loop, and the loop ends with the process.
asio::awaitable<void> accept_all(tcp::acceptor& acceptor, asio::ssl::context* tls,
                                 service& answers) {
  const auto executor = acceptor.get_executor();
  last_answers told;
  for (;;) {
    tcp::socket socket{executor};
    error_code error;
    auto token = asio::redirect_error(asio::use_awaitable, error);
    co_await acceptor.async_accept(socket, token);
    if (error == asio::error::operation_aborted) co_return;
    if (error) {
      // Out of descriptors, most likely: do not spin until some are free.
      asio::steady_timer timer{executor, std::chrono::milliseconds(20)};
      co_await timer.async_wait(token);
      continue;
    }
    socket.set_option(tcp::no_delay(true), error);
    if (tls != nullptr)
      asio::co_spawn(executor, serve_tls(std::move(socket), *tls, answers, told), asio::detached);
    else
      asio::co_spawn(executor, serve_plain(std::move(socket), answers, told), asio::detached);
  }
}

void write_port_file(const std::string& path, std::uint16_t port) {
  const std::string draft = path + ".new";
  {
    std::ofstream file{draft, std::ios::trunc};
    file << port << '\n';
    if (!file.flush()) throw std::runtime_error("cannot write " + draft);
  }
  if (std::rename(draft.c_str(), path.c_str()) != 0)
    throw std::runtime_error("cannot write " + path);
}

}  // namespace

void serve(const listen_options& options, service& answers) {
  const bool secure = !options.certificate_file.empty();
  asio::ssl::context tls{asio::ssl::context::tls_server};
  if (secure) {
    SSL_CTX_set_min_proto_version(tls.native_handle(), TLS1_2_VERSION);
    error_code error;
    tls.use_certificate_chain_file(options.certificate_file, error);
    if (error)
      throw std::runtime_error("cannot use certificate " + options.certificate_file + ": " +
                               error.message());
    tls.use_private_key_file(options.key_file, asio::ssl::context::pem, error);
    if (error)
      throw std::runtime_error("cannot use key " + options.key_file + ": " + error.message());
  }
  asio::io_context loop{1};
  const tcp::endpoint wanted{asio::ip::make_address(options.address), options.port};
  tcp::acceptor acceptor{loop, wanted};
  const auto port = acceptor.local_endpoint().port();
  asio::signal_set signals{loop, SIGTERM, SIGINT};
  signals.async_wait([&loop](const error_code& error, int) {
    if (!error) loop.stop();
  });
  asio::co_spawn(loop, accept_all(acceptor, secure ? &tls : nullptr, answers), asio::detached);
  if (!options.port_file.empty()) write_port_file(options.port_file, port);
  std::fprintf(stderr, "flanks-sandbox listening on %s://%s:%u (stop it with SIGTERM)\n",
               secure ? "https" : "http", options.address.c_str(), static_cast<unsigned>(port));
  loop.run();
}

}  // namespace sandbox
