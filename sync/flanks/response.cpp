#include "sync/flanks/response.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace flanks {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

namespace {

constexpr std::uint32_t header_limit = 32 * 1024;
constexpr int most_informational = 8;  // 1xx answers before the real one

}  // namespace

response_in_progress::response_in_progress(connection_pool& pool, std::unique_ptr<connection> wire,
                                           const origin& where, std::int64_t max_bytes, bool rested,
                                           bool records)
    : pool_(pool),
      wire_(std::move(wire)),
      who_(where.authority()),
      max_bytes_(max_bytes),
      rested_(rested),
      records_(records),
      in_(buffer_size),
      out_(buffer_size),
      hash_(XXH3_createState()) {
  XXH3_64bits_reset(hash_.get());
  new_parser();
}

response_in_progress::~response_in_progress() {
  const bool whole = over_ && accepted_ && !early_ && begin_ == end_;
  if (!whole || !parser_->keep_alive()) return;
  wire_->end_request();
  pool_.rest(std::move(wire_));
}

void response_in_progress::new_parser() {
  parser_.emplace();
  parser_->header_limit(header_limit);
  parser_->body_limit(boost::none);  // 8 MiB otherwise; max_bytes_ is the limit
  parser_->eager(false);
}

void response_in_progress::refuse(verdict then, const char* name, const std::string& what) const {
  failure f{received_ > 0 ? stage::receive : stage::first_byte, then, name,
            fmt::format("the answer of {} {}", who_, what)};
  f.http_status = head_.status;
  f.rested = rested_;
  throw f;
}

// What comes before anything was asked is no answer; some servers refuse a new connection so.
void response_in_progress::look_before_asking() {
  char first = 0;
  switch (wire_->peek(first)) {
    case unread::nothing:
      return;
    case unread::end:
      refuse(verdict::retry, "connection_closed", "did not come: the connection was closed");
    case unread::bytes:
      in_[end_++] = first;
      received_ = 1;
      early_ = true;
  }
}

asio::awaitable<void> response_in_progress::begin(const secret& text) {
  look_before_asking();
  if (!early_) {
    const std::string_view bytes = text.reveal();
    co_await wire_->write(bytes);
  }
  for (int informational = 0;; ++informational) {
    asio::awaitable<void> reading = read_head();
    co_await std::move(reading);
    if (parser_->get().result_int() >= 200) break;
    if (informational >= most_informational) refuse(verdict::later, "bad_response", "never begins");
    new_parser();
  }
  judge_head();
  judge_origin();
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
  if (first && size > 0) early_ = !wire_->all_acknowledged();
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
  const char* const at = in_.data() + begin_;
  const std::size_t used = parser_->put(asio::const_buffer(at, end_ - begin_), error);
  XXH3_64bits_update(hash_.get(), at, used);
  begin_ += used;
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
    if (received_ > 0) refuse(verdict::retry, "truncated", "breaks off within its header");
    refuse(verdict::retry, "connection_closed", "did not come: the connection was closed");
  }
}

// Whether a list of content codings (RFC 9110, 8.4) says that there is none; their names are
// compared without regard to case.
bool is_identity(std::string_view codings) {
  while (!codings.empty()) {
    const std::size_t comma = codings.find(',');
    std::string_view coding = codings.substr(0, comma);
    codings.remove_prefix(comma == std::string_view::npos ? codings.size() : comma + 1);
    const std::size_t begin = std::min(coding.find_first_not_of(" \t"), coding.size());
    coding = coding.substr(begin, coding.find_last_not_of(" \t") + 1 - begin);
    if (!coding.empty() && !boost::beast::iequals(coding, "identity")) return false;
  }
  return true;
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
  const auto codings = fields.equal_range(http::field::content_encoding);
  for (auto field = codings.first; field != codings.second; ++field) {
    if (!is_identity({field->value().data(), field->value().size()}))
      refuse(verdict::later, "bad_response", "is compressed, though that was not asked for");
  }
}

// Whether it can be the answer to this request. An error may come early (a server that is too busy
// to read what is asked); data may not. On a connection that has rested nothing may: what is early
// was meant for somebody else, and a 408 says that the request did not come in time (RFC 9110,
// 15.5.9).
void response_in_progress::judge_origin() {
  const bool data = head_.status < 300;
  if (early_ && (rested_ || data)) {
    refuse(verdict::retry, "early_answer", "began before the request was sent");
  }
  if (rested_ && head_.status == 408) {
    refuse(verdict::retry, "http_408", "says that a resting connection has timed out (408)");
  }
}

// The very bytes of an earlier answer, head included: that one again, sent into our request. Date
// and request ids make true answers differ, also to equal requests; where they do not, one is asked
// for twice. "[]" is often equal: whether it can be believed its reader knows.
void response_in_progress::end_of_answer() {
  const bool data = records_ && head_.status < 300;
  repeats_ = data && pool_.note_answer(XXH3_64bits_digest(hash_.get())) && rested_;
  if (repeats_ && body_bytes_ > 2) {
    refuse(verdict::retry, "repeated_answer", "is that to an earlier request");
  }
  over_ = true;
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
      body_bytes_ += static_cast<std::int64_t>(size);
      if (size > 0) co_return std::string_view(out_.data(), size);
      if (begin_ != before || parser_->is_done()) continue;
    }
    asio::awaitable<bool> filling = fill();
    const bool more = co_await std::move(filling);
    if (!more) end_of_input();
  }
  if (!over_) end_of_answer();
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

}  // namespace flanks
