// The endpoints: what is asked, and what is made of the answer. How a request is sent, and sent
// again, is in requester.cpp; how pages are walked, in aggregation.cpp.
#include "sync/flanks/api.hpp"

#include <fmt/format.h>

#include <boost/asio/use_awaitable.hpp>

#include "sync/flanks/aggregation.hpp"
#include "sync/flanks/errors.hpp"
#include "sync/flanks/parse.hpp"
#include "sync/flanks/products.hpp"
#include "sync/flanks/query.hpp"
#include "sync/flanks/requester.hpp"
#include "sync/flanks/status.hpp"

namespace flanks {

namespace asio = boost::asio;
using asio::awaitable;

namespace {

constexpr std::size_t status_limit = 1024 * 1024;  // bytes of a status

json_call posting(std::string_view endpoint, secret body, const access& to) {
  json_call asked;
  asked.endpoint = endpoint;
  asked.body = std::move(body);
  asked.secrets.push_back(&to.credentials_token);
  asked.trace = to.trace;
  return asked;
}

class https_api final : public provider_client {
 public:
  https_api(const asio::any_io_executor& executor, api_options options)
      : options_(std::move(options)),
        requests_(executor, options_),
        pages_(executor, requests_, options_.limits.answer_pages) {}

  awaitable<credential_status> status(const access& to) override;
  awaitable<bool> takes_windows(const access& to) override;
  awaitable<response_summary> transactions(const access& to, product what, window days,
                                           connection_use over, batch_sink& sink) override;
  awaitable<product_batch> products(const access& to, product_kind kind,
                                    connection_use over) override;
  awaitable<product_batch> entities(const trace_id& trace) override;
  awaitable<void> authenticate() override { return requests_.authenticate(); }
  awaitable<void> ask_json(json_call asked) override {
    return requests_.ask_json(std::move(asked));
  }
  std::string authority() const override { return requests_.authority(); }
  awaitable<void> close() override { return requests_.close(); }

 private:
  call_info call(std::string_view endpoint, const access& to) const;

  awaitable<response_summary> fetch_window(const access& to, product what, window days,
                                           connection_use over, batch_sink& sink);
  awaitable<void> read_transactions(http_response& response, const json_call& asked,
                                    batch_sink& sink, bool& handed_on, response_summary& summary);
  awaitable<product_batch> ask_for_list(product_list list, json_call asked, connection_use over);

  awaitable<response_summary> fetch_pages(const access& to, product what, window days,
                                          batch_sink& sink);

  api_options options_;
  requester requests_;
  aggregation pages_;
};

call_info https_api::call(std::string_view endpoint, const access& to) const {
  return requests_.call(posting(endpoint, secret{}, to));
}

awaitable<credential_status> https_api::status(const access& to) {
  credential_status status;
  json_call asked = posting(status_endpoint, status_body(to.credentials_token), to);
  asked.limit = status_limit;
  const call_info who = requests_.call(asked);
  asked.read = [&](const answer& a) {
    status = read_status(a, who, options_.limits.bank_name_bytes);
  };
  awaitable<void> asking = ask_json(std::move(asked));
  co_await std::move(asking);
  co_return status;
}

// Hands the records on as they come in.
awaitable<void> https_api::read_transactions(http_response& response, const json_call& asked,
                                             batch_sink& sink, bool& handed_on,
                                             response_summary& summary) {
  transaction_parser parser(requests_.call(asked), parse_limits{});
  summary = response_summary{};
  for (bool more = true; more;) {
    const std::string_view piece = co_await response.read();
    more = !piece.empty();
    summary.bytes += static_cast<std::int64_t>(piece.size());
    if (more) {
      parser.feed(piece);
    } else {
      parser.finish();
    }
    while (parser.ready()) {
      handed_on = true;
      transaction_batch batch = parser.next();
      response.pause();
      awaitable<void> taking = sink.take(std::move(batch));
      co_await std::move(taking);
      response.resume();
    }
  }
  summary.elements = parser.elements();
  summary.rested_connection = response.rested();
  summary.repeats = response.repeats();
}

awaitable<response_summary> https_api::fetch_window(const access& to, product what, window days,
                                                    connection_use over, batch_sink& sink) {
  json_call asked = posting(transactions_endpoint(what),
                            transactions_body(to.credentials_token, days, options_.query), to);
  asked.over = over;
  asked.records = true;
  response_summary summary;
  bool handed_on = false;
  const response_reader read = [&](http_response& response) {
    return read_transactions(response, asked, sink, handed_on, summary);
  };
  // The sink holds a part that only its owner can forget: then he must ask again, not we.
  const repeat_rule may_repeat = [&](const failure&) { return !handed_on; };
  awaitable<void> asking = requests_.ask(asked, read, may_repeat);
  co_await std::move(asking);
  co_return summary;
}

// The answer is many answers: it counts only when the provider did not refresh its data in between.
awaitable<response_summary> https_api::fetch_pages(const access& to, product what, window days,
                                                   batch_sink& sink) {
  const credential_status before = co_await status(to);
  awaitable<response_summary> walking = pages_.transactions(to, what, days, sink);
  const response_summary summary = co_await std::move(walking);
  const credential_status now = co_await status(to);
  if (now.last_update != before.last_update) {
    throw failure(stage::receive, verdict::retry, "moved_while_paging",
                  fmt::format("{}: the provider refreshed its data between two pages",
                              call(list_transactions_endpoint, to).what));
  }
  co_return summary;
}

awaitable<bool> https_api::takes_windows(const access& to) {
  if (options_.source == transaction_source::v1) co_return true;
  awaitable<bool> asking = pages_.filters_by_day(to);
  const bool filters = co_await std::move(asking);
  co_return filters;
}

awaitable<response_summary> https_api::transactions(const access& to, product what, window days,
                                                    connection_use over, batch_sink& sink) {
  return options_.source == transaction_source::v2 ? fetch_pages(to, what, days, sink)
                                                   : fetch_window(to, what, days, over, sink);
}

awaitable<product_batch> https_api::ask_for_list(product_list list, json_call asked,
                                                 connection_use over) {
  asked.limit = product_body_limit;
  asked.over = over;
  asked.records = true;
  product_batch batch;
  const call_info who = requests_.call(asked);
  asked.read = [&](const answer& a) {
    batch = read_products(a, who, list);
    batch.rested_connection = a.rested_connection;
  };
  awaitable<void> asking = ask_json(std::move(asked));
  co_await std::move(asking);
  co_return batch;
}

awaitable<product_batch> https_api::products(const access& to, product_kind kind,
                                             connection_use over) {
  json_call asked = posting(products_endpoint(kind), products_body(to.credentials_token), to);
  return ask_for_list(product_list{kind}, std::move(asked), over);
}

awaitable<product_batch> https_api::entities(const trace_id& trace) {
  json_call asked;
  asked.method = "GET";
  asked.endpoint = entities_endpoint;
  asked.trace = trace;
  return ask_for_list(product_list{}, std::move(asked), connection_use::any);
}

}  // namespace

std::unique_ptr<provider_client> make_flanks_api(asio::any_io_executor executor,
                                                 api_options options) {
  return std::make_unique<https_api>(executor, std::move(options));
}

}  // namespace flanks
