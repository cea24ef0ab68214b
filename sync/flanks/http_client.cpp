#include "sync/flanks/http_client.hpp"

#include <fmt/format.h>

#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <iterator>
#include <optional>
#include <vector>

#include "sync/flanks/pool.hpp"

namespace flanks {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using clock_type = std::chrono::steady_clock;

namespace {

constexpr std::size_t buffer_size = 64 * 1024;
constexpr std::uint32_t header_limit = 32 * 1024;
constexpr int most_informational = 8;  // 1xx answers before the real one

// Sent in one piece. Room first, so that no copy of a token is left behind by growing.
secret request_text(const http_request& request, const origin& where,
                    const std::string& user_agent) {
  const std::string& body = request.body.reveal();
  std::string text;
  text.reserve(1024 + user_agent.size() + where.path_prefix.size() + request.target.size() +
               request.bearer.reveal().size() + body.size());
  auto out = std::back_inserter(text);
  fmt::format_to(out,
                 "{} {}{} HTTP/1.1\r\nHost: {}\r\nUser-Agent: {}\r\n"
                 "Accept: application/json\r\nAccept-Encoding: identity\r\n",
                 request.method, where.path_prefix, request.target, where.host_header(),
                 user_agent);
  if (!request.bearer.empty()) {
    text.append("Authorization: Bearer ").append(request.bearer.reveal()).append("\r\n");
  }
  if (!body.empty()) {
    fmt::format_to(out, "Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
  }
  text.append("\r\n").append(body);
  return secret{std::move(text)};
}

bool connection_was_lost(const failure& f) {
  return f.error_class == "connection_reset" || f.error_class == "connection_closed" ||
         f.error_class == "io_error";
}

class held_slot final : public http_place {
 public:
  explicit held_slot(connection_pool::slot slot) : slot_(std::move(slot)) {}

 private:
  connection_pool::slot slot_;
};

class response_in_progress final : public http_response {
 public:
  response_in_progress(connection_pool& pool, std::unique_ptr<connection> wire, const origin& where,
                       std::int64_t max_bytes)
      : pool_(pool),
        wire_(std::move(wire)),
        who_(where.authority()),
        max_bytes_(max_bytes),
        in_(buffer_size),
        out_(buffer_size) {
    new_parser();
  }
  ~response_in_progress() override {
    if (!over_ || !parser_->keep_alive() || begin_ != end_) return;
    wire_->end_request();
    pool_.rest(std::move(wire_));
  }

  asio::awaitable<void> begin(const secret& text);

  const http_head& head() const override { return head_; }
  asio::awaitable<std::string_view> read() override;
  void pause() override { paused_at_ = clock_type::now(); }
  void resume() override { wire_->extend_total(clock_type::now() - paused_at_); }
  std::chrono::milliseconds time_to_first_byte() const override { return first_byte_after_; }

  [[nodiscard]] bool answered() const { return received_ > 0; }

 private:
  void new_parser();
  asio::awaitable<void> read_head();
  asio::awaitable<bool> fill();  // false: the other side closed
  error_code parse_some();       // what lies in the buffer; need_more and need_buffer are no errors
  void judge_head();
  void end_of_input();
  [[noreturn]] void refuse(verdict then, const char* name, const std::string& what) const;

  connection_pool& pool_;
  std::unique_ptr<connection> wire_;
  std::string who_;
  std::int64_t max_bytes_;
  std::optional<http::response_parser<http::buffer_body>> parser_;
  http_head head_;
  std::vector<char> in_, out_;
  std::size_t begin_ = 0, end_ = 0;  // of what is unread in in_
  std::int64_t received_ = 0;        // every byte, headers and chunk marks included
  bool over_ = false;
  clock_type::time_point sent_at_, paused_at_;
  std::chrono::milliseconds first_byte_after_{0};
};

void response_in_progress::new_parser() {
  parser_.emplace();
  parser_->header_limit(header_limit);
  parser_->body_limit(boost::none);  // 8 MiB otherwise; max_bytes_ is the limit
  parser_->eager(false);
}

void response_in_progress::refuse(verdict then, const char* name, const std::string& what) const {
  failure f{answered() ? stage::receive : stage::first_byte, then, name,
            fmt::format("the answer of {} {}", who_, what)};
  f.http_status = head_.status;
  throw f;
}

asio::awaitable<void> response_in_progress::begin(const secret& text) {
  sent_at_ = clock_type::now();
  const std::string_view bytes = text.reveal();
  co_await wire_->write(bytes);
  for (int informational = 0;; ++informational) {
    asio::awaitable<void> reading = read_head();
    co_await std::move(reading);
    if (parser_->get().result_int() >= 200) break;
    if (informational >= most_informational) refuse(verdict::later, "bad_response", "never begins");
    new_parser();
  }
  judge_head();
}

asio::awaitable<bool> response_in_progress::fill() {
  if (begin_ == end_) begin_ = end_ = 0;
  if (end_ == in_.size() && begin_ > 0) {
    std::copy(in_.begin() + static_cast<std::ptrdiff_t>(begin_), in_.end(), in_.begin());
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == in_.size()) refuse(verdict::later, "bad_response", "has an endless header");
  const bool first = received_ == 0;
  char* const into = in_.data() + end_;
  const std::size_t room = in_.size() - end_;
  const std::size_t size = co_await wire_->read(into, room, first);
  if (first && size > 0) {
    first_byte_after_ = std::chrono::floor<std::chrono::milliseconds>(clock_type::now() - sent_at_);
  }
  end_ += size;
  received_ += static_cast<std::int64_t>(size);
  if (received_ > max_bytes_) {
    refuse(verdict::halve, "response_too_large",
           fmt::format("is larger than {} bytes", max_bytes_));
  }
  co_return size > 0;
}

error_code response_in_progress::parse_some() {
  error_code error;
  begin_ += parser_->put(asio::const_buffer(in_.data() + begin_, end_ - begin_), error);
  if (error == http::error::need_more || error == http::error::need_buffer) error = {};
  return error;
}

asio::awaitable<void> response_in_progress::read_head() {
  while (!parser_->is_header_done()) {
    const std::size_t before = begin_;
    if (begin_ != end_) {
      const error_code error = parse_some();
      if (error) refuse(verdict::later, "bad_response", "is not HTTP: " + error.message());
      if (begin_ != before) continue;
    }
    asio::awaitable<bool> filling = fill();
    const bool more = co_await std::move(filling);
    if (more) continue;
    if (answered()) refuse(verdict::retry, "truncated", "breaks off within its header");
    throw failure{stage::first_byte, verdict::retry, "connection_closed",
                  fmt::format("{} closed the connection without an answer", who_)};
  }
}

// RFC 9112, 6.1: both lengths at once is how requests are smuggled; Beast takes some of these.
void response_in_progress::judge_head() {
  const auto& fields = parser_->get();
  const auto text = [&](http::field name) {
    const auto value = fields[name];
    return std::string(value.data(), value.size());
  };
  head_.status = static_cast<int>(fields.result_int());
  head_.retry_after = text(http::field::retry_after);
  head_.date = text(http::field::date);
  head_.location = text(http::field::location);
  const std::string transfer = text(http::field::transfer_encoding);
  if (!transfer.empty() && fields.count(http::field::content_length) > 0) {
    refuse(verdict::later, "bad_response", "has both Content-Length and Transfer-Encoding");
  }
  if (!transfer.empty() && !parser_->chunked()) {
    refuse(verdict::later, "bad_response", "has a Transfer-Encoding other than chunked");
  }
  const std::string coding = text(http::field::content_encoding);
  if (!coding.empty() && coding != "identity") {
    refuse(verdict::later, "bad_response", "is compressed, though that was not asked for");
  }
}

asio::awaitable<std::string_view> response_in_progress::read() {
  auto& body = parser_->get().body();
  while (!parser_->is_done()) {
    body.data = out_.data();
    body.size = out_.size();
    body.more = true;
    const std::size_t before = begin_;
    if (begin_ != end_) {
      const error_code error = parse_some();
      if (error) refuse(verdict::retry, "bad_response", "is not HTTP: " + error.message());
      const std::size_t size = out_.size() - body.size;
      if (size > 0) co_return std::string_view(out_.data(), size);
      if (begin_ != before || parser_->is_done()) continue;
    }
    asio::awaitable<bool> filling = fill();
    const bool more = co_await std::move(filling);
    if (!more) end_of_input();
  }
  over_ = true;
  co_return std::string_view{};
}

// Allowed only when the end of the connection is the end of the body.
void response_in_progress::end_of_input() {
  error_code error;
  parser_->put_eof(error);
  if (error) {
    refuse(verdict::retry, "truncated",
           fmt::format("breaks off after {} bytes: the connection was closed", received_));
  }
}

}  // namespace

struct http_client::impl {
  impl(asio::any_io_executor on, origin to, const api_options& with)
      : executor(std::move(on)),
        where(std::move(to)),
        timeouts(with.timeouts),
        max_bytes(with.max_response_bytes),
        user_agent(with.user_agent),
        names(executor, where),
        pool(executor, with.max_connections) {
    if (where.tls) tls.emplace(where, with.ca_file);
  }

  asio::awaitable<std::unique_ptr<connection>> connect() {
    auto wire = std::make_unique<connection>(executor, where, tls ? &*tls : nullptr, timeouts);
    wire->begin_request();
    asio::awaitable<address_book::addresses> finding = names.find(timeouts.resolve);
    address_book::addresses found = co_await std::move(finding);
    asio::awaitable<void> opening = wire->open(std::move(found));
    co_await std::move(opening);
    co_return wire;
  }

  asio::any_io_executor executor;
  origin where;
  api_timeouts timeouts;
  std::int64_t max_bytes;
  std::string user_agent;
  std::optional<tls_client> tls;
  address_book names;
  connection_pool pool;
};

http_client::http_client(asio::any_io_executor executor, origin where, const api_options& options)
    : impl_(std::make_unique<impl>(std::move(executor), std::move(where), options)) {}

http_client::~http_client() = default;

asio::awaitable<std::unique_ptr<http_place>> http_client::enter() {
  connection_pool& pool = impl_->pool;
  const std::chrono::milliseconds timeout = impl_->timeouts.connection;
  connection_pool::slot slot = co_await pool.acquire(timeout);
  std::unique_ptr<http_place> place = std::make_unique<held_slot>(std::move(slot));
  co_return place;
}

asio::awaitable<std::unique_ptr<http_response>> http_client::send(const http_place&,
                                                                  http_request request) {
  impl& my = *impl_;
  const secret text = request_text(request, my.where, my.user_agent);
  std::unique_ptr<connection> wire = my.pool.take_resting();
  for (bool fresh_one_next = false;; fresh_one_next = true) {
    const bool reused = wire != nullptr;
    if (reused) {
      wire->begin_request();
    } else {
      wire = co_await my.connect();
    }
    auto response =
        std::make_unique<response_in_progress>(my.pool, std::move(wire), my.where, my.max_bytes);
    bool stale = false;
    try {
      co_await response->begin(text);
    } catch (const failure& f) {
      // It rested too long and the server had closed it: nobody's fault, and free of charge once.
      stale = reused && !fresh_one_next && !response->answered() && connection_was_lost(f);
      if (!stale) throw;
    }
    if (!stale) {
      std::unique_ptr<http_response> answer = std::move(response);
      co_return answer;
    }
  }
}

asio::awaitable<void> http_client::close() {
  const std::chrono::milliseconds limit{2000};
  co_await impl_->pool.close(limit);
}

}  // namespace flanks
