#include "sync/flanks/http_client.hpp"

#include <fmt/format.h>

#include <iterator>
#include <optional>

#include "sync/flanks/pool.hpp"
#include "sync/flanks/response.hpp"

namespace flanks {

namespace asio = boost::asio;

namespace {

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
                 "Accept: application/json\r\nAccept-Encoding: identity\r\n"
                 "traceparent: {}\r\n",
                 request.method, where.path_prefix, request.target, where.host_header(), user_agent,
                 request.traceparent);
  if (!request.bearer.empty()) {
    text.append("Authorization: Bearer ").append(request.bearer.reveal()).append("\r\n");
  }
  if (!body.empty()) {
    fmt::format_to(out, "Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
  }
  text.append("\r\n").append(body);
  return secret{std::move(text)};
}

class held_slot final : public http_place {
 public:
  explicit held_slot(connection_pool::slot slot) : slot_(std::move(slot)) {}

 private:
  connection_pool::slot slot_;
};

}  // namespace

struct http_client::impl {
  impl(asio::any_io_executor on, origin to, const api_options& with)
      : executor(std::move(on)),
        where(std::move(to)),
        timeouts(with.timeouts),
        max_bytes(static_cast<std::int64_t>(with.max_response_bytes)),
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
  std::unique_ptr<connection> wire;
  if (!request.fresh) wire = my.pool.take_resting();
  const bool rested = wire != nullptr;
  if (rested) {
    wire->begin_request();
  } else {
    wire = co_await my.connect();
  }
  auto response = std::make_unique<response_in_progress>(my.pool, std::move(wire), my.where,
                                                         my.max_bytes, rested, request.records);
  try {
    co_await response->begin(text);
  } catch (const failure& f) {
    failure mine = f;
    mine.rested = rested;
    throw mine;
  }
  std::unique_ptr<http_response> answer = std::move(response);
  co_return answer;
}

asio::awaitable<void> http_client::close() {
  const std::chrono::milliseconds limit{2000};
  co_await impl_->pool.close(limit);
}

}  // namespace flanks
