#include "sync/flanks/aggregation.hpp"

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include "sync/flanks/parse.hpp"
#include "sync/flanks/query.hpp"

namespace flanks {

namespace asio = boost::asio;
namespace chr = std::chrono;
using asio::awaitable;

namespace {

constexpr std::size_t page_limit = 32 * 1024 * 1024;  // bytes
// A deployment that is renewed, in either direction, is noticed after so long without a restart.
constexpr chr::hours known_for{24};

json_call page_of(std::string_view endpoint, secret body, const access& to) {
  json_call asked;
  asked.endpoint = endpoint;
  asked.body = std::move(body);
  asked.limit = page_limit;
  asked.records = true;
  asked.secrets.push_back(&to.credentials_token);
  asked.trace = to.trace;
  return asked;
}

}  // namespace

// One question that everyone waits for.
struct aggregation::inquiry {
  explicit inquiry(const asio::any_io_executor& executor)
      : ended(executor, clock::time_point::max()) {}

  asio::steady_timer ended;  // cancelled when it has
  bool done = false;
};

call_info aggregation::call(std::string_view endpoint, const access& to) const {
  return requests_.call(page_of(endpoint, secret{}, to));
}

awaitable<page> aggregation::ask_page(std::string_view endpoint, secret body, const access& to,
                                      answer& a) {
  page found;
  json_call asked = page_of(endpoint, std::move(body), to);
  const call_info who = requests_.call(asked);
  asked.read = [&](const answer& came) {
    a = came;
    found = read_page(a, who);
  };
  awaitable<void> asking = requests_.ask_json(std::move(asked));
  co_await std::move(asking);
  co_return found;
}

awaitable<bool> aggregation::filters_by_day(const access& to) {
  if (!is_known() && inquiry_ != nullptr) {
    const std::shared_ptr<inquiry> asked = inquiry_;
    boost::system::error_code woken;
    auto quietly = asio::redirect_error(asio::use_awaitable, woken);
    co_await asked->ended.async_wait(quietly);
    if (!asked->done) throw boost::system::system_error(asio::error::operation_aborted);
  }
  if (is_known()) co_return *filters_;
  // Also after another's question that failed: what it failed of may be his credential's.
  const auto mine = std::make_shared<inquiry>(executor_);
  inquiry_ = mine;
  struct ending {  // also when we are cancelled
    aggregation& of;
    const std::shared_ptr<inquiry>& mine;
    ~ending() {
      mine->done = true;
      mine->ended.cancel();
      if (of.inquiry_ == mine) of.inquiry_.reset();
    }
  };
  const ending at_the_end{*this, mine};
  awaitable<bool> asking = ask_about_today(to);
  const bool filters = co_await std::move(asking);
  filters_ = filters;
  ask_again_at_ = clock::now() + known_for;
  co_return filters;
}

awaitable<bool> aggregation::ask_about_today(const access& to) {
  const day today = chr::floor<chr::days>(chr::system_clock::now());
  const call_info who = call(list_transactions_endpoint, to);
  const std::vector<std::string> every_product;
  secret body =
      listing_body(to.credentials_token, every_product, window{today, today}, std::nullopt);
  std::optional<failure> failed;
  try {
    answer a;
    awaitable<page> asking = ask_page(list_transactions_endpoint, std::move(body), to, a);
    const page p = co_await std::move(asking);
    co_return shows_only(p, a, who, today);
  } catch (const failure& f) {
    failed.emplace(f);
  }
  if (failed->error_class != "window_refused") throw failure{*failed};
  co_return false;
}

awaitable<std::vector<std::string>> aggregation::product_ids(const access& to, product what) {
  const call_info who = call(list_products_endpoint, to);
  const std::vector<std::string> every_product;
  std::vector<std::string> ids;
  page_walk walk(who, most_pages_);
  do {
    secret body = listing_body(to.credentials_token, every_product, std::nullopt, walk.token());
    answer a;
    awaitable<page> asking = ask_page(list_products_endpoint, std::move(body), to, a);
    const page p = co_await std::move(asking);
    for (const listed_product& listed : read_products(p, a, who)) {
      if (listed.type == to_string(what)) ids.push_back(listed.id);
    }
    walk.go_on(p);
  } while (walk.more());
  co_return ids;
}

// Every page of the product's transactions. Where there is no such product nothing is asked for: a
// filter without values is never sent.
awaitable<response_summary> aggregation::walk(const access& to, product what,
                                              std::optional<window> days, batch_sink& sink) {
  response_summary summary;
  const call_info who = call(list_transactions_endpoint, to);
  const std::vector<std::string> ids = co_await product_ids(to, what);
  page_walk pages(who, most_pages_);
  listed_transactions reader(who, what, ids);
  for (bool more = !ids.empty(); more; more = pages.more()) {
    secret body = listing_body(to.credentials_token, ids, days, pages.token());
    answer a;
    awaitable<page> asking = ask_page(list_transactions_endpoint, std::move(body), to, a);
    const page p = co_await std::move(asking);
    summary.bytes += a.body_bytes;
    summary.elements += static_cast<std::int64_t>(p.items.size());
    const std::size_t most = parse_limits{}.batch_records;
    for (std::size_t at = 0; at < p.items.size(); at += most) {
      transaction_batch batch = reader.read(p, a, at, most);
      awaitable<void> taking = sink.take(std::move(batch));
      co_await std::move(taking);
    }
    pages.go_on(p);
  }
  co_return summary;
}

awaitable<response_summary> aggregation::transactions(const access& to, product what, window days,
                                                      batch_sink& sink) {
  awaitable<bool> asking = filters_by_day(to);
  const bool filters = co_await std::move(asking);
  std::optional<window> asked;
  if (filters) asked = days;
  std::optional<failure> failed;
  try {
    awaitable<response_summary> walking = walk(to, what, asked, sink);
    const response_summary summary = co_await std::move(walking);
    co_return summary;
  } catch (const failure& f) {
    failed.emplace(f);
  }
  // A smaller window would be the same pages.
  if (!filters && failed->verdict == verdict::halve) failed->verdict = verdict::later;
  throw failure{*failed};
}

}  // namespace flanks
