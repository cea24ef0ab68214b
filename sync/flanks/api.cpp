// The endpoints, told as stories: get a token, take a turn, ask, judge, try again or say why not.
// What is decided is decided elsewhere (token, retry, limiter, errors).
#include "sync/flanks/api.hpp"

#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <random>

#include "sync/flanks/errors.hpp"
#include "sync/flanks/http_client.hpp"
#include "sync/flanks/pacer.hpp"
#include "sync/flanks/page.hpp"
#include "sync/flanks/parse.hpp"
#include "sync/flanks/products.hpp"
#include "sync/flanks/query.hpp"
#include "sync/flanks/status.hpp"
#include "sync/flanks/token.hpp"

namespace flanks {

namespace asio = boost::asio;
using asio::awaitable;
using clock_type = std::chrono::steady_clock;

namespace {

constexpr std::size_t object_limit = 1024 * 1024;     // a status or a token answer
constexpr std::size_t page_limit = 32 * 1024 * 1024;  // a page of Aggregation v2

// One token call that everyone waits for.
struct token_flight {
  explicit token_flight(const asio::any_io_executor& executor)
      : landed(executor, clock_type::time_point::max()) {}

  asio::steady_timer landed;  // cancelled when it has
  bool done = false;
  bool brought_one = false;
  std::optional<failure> failed;  // neither: its caller was cancelled, someone else must go
};

awaitable<answer> read_whole(http_response& response, std::size_t limit) {
  const http_head& head = response.head();
  answer a;
  a.status = head.status;
  a.retry_after = head.retry_after;
  a.date = head.date;
  a.location = head.location;
  a.rested_connection = response.rested();
  while (a.body.size() < limit) {
    const std::string_view piece = co_await response.read();
    if (piece.empty()) break;
    a.body_bytes += static_cast<std::int64_t>(piece.size());
    a.body.append(piece.substr(0, limit - a.body.size()));
  }
  co_return a;
}

json_call posting(std::string_view endpoint, secret body, std::size_t limit,
                  const secret* credentials_token) {
  json_call asked;
  asked.endpoint = endpoint;
  asked.body = std::move(body);
  asked.limit = limit;
  if (credentials_token != nullptr) asked.secrets.push_back(credentials_token);
  return asked;
}

// Whether a call that the provider does only once may be sent again after `f`: it was never sent,
// or was turned away at the door.
bool surely_not_done(const failure& f) {
  return f.at == stage::resolve || f.at == stage::connect || f.at == stage::tls ||
         f.at == stage::token || f.error_class == "rate_limited" || f.retry_after.has_value();
}

std::mt19937_64 unforeseeable() {
  std::random_device source;
  std::seed_seq seed{source(), source(), source(), source(),
                     source(), source(), source(), source()};
  return std::mt19937_64(seed);
}

class https_api final : public provider_client {
 public:
  https_api(asio::any_io_executor executor, api_options options)
      : executor_(std::move(executor)),
        options_(std::move(options)),
        where_(origin_of(options_.base_url)),
        client_(executor_, where_, options_),
        own_rate_(options_.rate == nullptr ? make_local_rate_grants() : nullptr),
        pacer_(executor_, options_.requests_per_second, own_rate_ ? *own_rate_ : *options_.rate,
               options_.waits != nullptr ? *options_.waits : untold_,
               {options_.timeouts.rate_grant}),
        chance_(unforeseeable()) {}

  awaitable<credential_status> status(const secret& credentials_token) override;
  awaitable<response_summary> transactions(const secret& credentials_token, product what,
                                           window days, connection_use over,
                                           batch_sink& sink) override;
  awaitable<product_batch> products(const secret& credentials_token, product_kind kind,
                                    connection_use over) override;
  awaitable<product_batch> entities() override;
  awaitable<void> authenticate() override;
  awaitable<void> ask_json(json_call asked) override;
  std::string authority() const override { return where_.authority(); }
  awaitable<void> close() override;

 private:
  call_info call(std::string_view endpoint) const;
  call_info call(const json_call& asked) const;
  awaitable<void> sleep(clock_type::time_point until);
  awaitable<void> take_turn(attempts& so_far);
  retry_decision judge(const failure& f, attempts& so_far);
  awaitable<void> after(failure f, attempts& so_far);
  // Calls try_once(so_far), which gives an awaitable<Result>, until it returns, throws something
  // that may_repeat(failure) denies, or the tries and waits of one request are used up.
  template <class Result, class Try, class MayRepeat>
  awaitable<Result> with_retries(Try& try_once, MayRepeat& may_repeat, attempts so_far = {});
  awaitable<std::unique_ptr<http_response>> ask(const http_place& place, http_request request,
                                                attempts& so_far);

  awaitable<access_token> fresh_token(const http_place& place, attempts& so_far);
  awaitable<access_token> turn_and_token(const http_place& place, attempts& so_far);
  awaitable<void> fetch_token(const http_place& place, attempts& so_far);
  awaitable<granted_token> ask_for_token(const http_place& place, attempts& so_far);
  awaitable<std::unique_ptr<http_response>> authorized(const http_place& place,
                                                       const json_call& asked, call_info who,
                                                       attempts& so_far);
  awaitable<bool> fetch_json(const json_call& asked, attempts& so_far);

  awaitable<response_summary> fetch_transactions(const secret& credentials_token, product what,
                                                 window days, connection_use over, batch_sink& sink,
                                                 bool& handed_on, attempts& so_far);
  // `credentials_token`: null for the banks, which belong to no credential.
  awaitable<product_batch> ask_for_list(product_list list, const secret* credentials_token,
                                        connection_use over);

  awaitable<page> ask_page(std::string_view endpoint, secret body, const secret& credentials_token,
                           answer& a);
  awaitable<std::vector<std::string>> product_ids(const secret& credentials_token, product what);
  awaitable<response_summary> fetch_pages(const secret& credentials_token, product what,
                                          batch_sink& sink);

  asio::any_io_executor executor_;
  api_options options_;
  origin where_;
  http_client client_;
  std::unique_ptr<rate_grants> own_rate_;
  rate_observer untold_;
  pacer pacer_;
  retry_budget budget_;
  token_state token_;
  std::shared_ptr<token_flight> flight_;  // while a token call is on its way
  std::mt19937_64 chance_;
};

call_info https_api::call(std::string_view endpoint) const {
  return call(posting(endpoint, secret{}, 0, nullptr));
}

// What is never shown: our keys, and what the call itself names.
call_info https_api::call(const json_call& asked) const {
  call_info who = asked.info(where_.authority());
  who.what = fmt::format("{} {}{} at {}", asked.method, where_.path_prefix, asked.endpoint,
                         where_.authority());
  who.secrets.insert(who.secrets.end(), {&options_.client_secret, &options_.password});
  return who;
}

awaitable<void> https_api::close() {
  co_await pacer_.close();
  co_await client_.close();
}

awaitable<void> https_api::sleep(clock_type::time_point until) {
  asio::steady_timer timer(executor_, until);
  co_await timer.async_wait(asio::use_awaitable);
}

// One budget of waiting for all turns of a request, those of the token call that it needs included.
awaitable<void> https_api::take_turn(attempts& so_far) {
  const auto begun = clock_type::now();
  const std::chrono::milliseconds patience =
      std::max(options_.retry.longest_wait - so_far.waited, std::chrono::milliseconds{0});
  co_await pacer_.take_turn(patience);
  so_far.waited += std::chrono::ceil<std::chrono::milliseconds>(clock_type::now() - begun);
  // One turn of the loop: a lease that has run out, also while the process stood still, cancels
  // what works under it before anything is sent.
  auto turning = asio::post(executor_, asio::use_awaitable);
  co_await std::move(turning);
}

// What comes after `f`. A rate limit makes everyone wait, also when this request gives up.
retry_decision https_api::judge(const failure& f, attempts& so_far) {
  const double dice = std::uniform_real_distribution<double>(0, 1)(chance_);
  const retry_decision d = decide(f, so_far, budget_, options_.retry, dice);
  if (d.what != next_step::again && d.wait.count() > 0) pacer_.pause(d.wait, f);
  return d;
}

// Returns when the request may be tried again; throws `f` when it may not.
awaitable<void> https_api::after(failure f, attempts& so_far) {
  const retry_decision d = judge(f, so_far);
  if (d.what == next_step::give_up) throw failure{f};
  const auto until = clock_type::now() + d.wait;
  if (d.what == next_step::again) co_await sleep(until);
}

template <class Result, class Try, class MayRepeat>
awaitable<Result> https_api::with_retries(Try& try_once, MayRepeat& may_repeat, attempts so_far) {
  for (;;) {
    std::optional<failure> failed;
    try {
      awaitable<Result> trying = try_once(so_far);
      Result result = co_await std::move(trying);
      co_return result;
    } catch (const failure& f) {
      failed.emplace(f);
    }
    if (!may_repeat(*failed)) throw failure{*failed};
    awaitable<void> waiting = after(*failed, so_far);
    co_await std::move(waiting);
  }
}

awaitable<std::unique_ptr<http_response>> https_api::ask(const http_place& place,
                                                         http_request request, attempts& so_far) {
  budget_.count_request();
  so_far.rested = false;
  request.fresh = request.fresh || so_far.fresh_only;
  awaitable<std::unique_ptr<http_response>> sending = client_.send(place, std::move(request));
  std::unique_ptr<http_response> response = co_await std::move(sending);
  so_far.rested = response->rested();
  co_return response;
}

awaitable<granted_token> https_api::ask_for_token(const http_place& place, attempts& so_far) {
  co_await take_turn(so_far);
  http_request request;
  request.target = token_endpoint;
  request.body = token_body(options_);
  awaitable<std::unique_ptr<http_response>> asking = ask(place, std::move(request), so_far);
  const std::unique_ptr<http_response> response = co_await std::move(asking);
  http_response& open = *response;
  const answer a = co_await read_whole(open, object_limit);
  const call_info who = call(token_endpoint);
  if (a.status != 200) throw from_token_status(a, who, options_.client_id);
  granted_token token = read_token(a, who);
  response->accept();
  co_return token;
}

// With the tries and waits of the request that needs it.
awaitable<void> https_api::fetch_token(const http_place& place, attempts& so_far) {
  const auto flight = std::make_shared<token_flight>(executor_);
  flight_ = flight;
  struct landing {  // also when we are cancelled
    https_api& api;
    token_flight& flight;
    ~landing() {
      flight.done = true;
      flight.landed.cancel();
      api.flight_.reset();
    }
  };
  const landing at_the_end{*this, *flight};
  for (;;) {
    std::optional<failure> failed;
    try {
      granted_token token = co_await ask_for_token(place, so_far);
      token_.accept(std::move(token), clock_type::now());
      flight->brought_one = true;
      co_return;
    } catch (const failure& f) {
      failed.emplace(f);
    }
    if (failed->then == verdict::stop) token_.keys_refused(*failed, clock_type::now());
    const retry_decision d = judge(*failed, so_far);
    if (d.what == next_step::give_up) {
      // Those who wait must not try it all again, each on his own.
      if (failed->then == verdict::retry) failed->then = verdict::later;
      flight->failed = failed;
      throw failure{*failed};
    }
    const auto until = clock_type::now() + d.wait;
    if (d.what == next_step::again) co_await sleep(until);
  }
}

awaitable<access_token> https_api::fresh_token(const http_place& place, attempts& so_far) {
  for (;;) {
    const auto now = clock_type::now();
    std::optional<access_token> held = token_.usable(now);
    if (held) co_return *held;
    const std::optional<failure> refusal = token_.standing_refusal(now);
    if (refusal) throw failure{*refusal};
    if (flight_ == nullptr) {
      co_await fetch_token(place, so_far);
      access_token brought = token_.newest();
      co_return brought;
    }
    const std::shared_ptr<token_flight> flight = flight_;
    boost::system::error_code woken;
    auto quietly = asio::redirect_error(asio::use_awaitable, woken);
    co_await flight->landed.async_wait(quietly);
    if (!flight->done) throw boost::system::system_error(asio::error::operation_aborted);
    if (flight->failed) {
      // Who waited for it has waited as long as who asked.
      so_far.paused = options_.retry.pauses;
      throw failure{*flight->failed};
    }
    if (flight->brought_one) {
      access_token brought = token_.newest();
      co_return brought;
    }
  }
}

// A turn, and a token that is good when it comes. The one who fetches the token has his place
// already and takes a turn of his own, so those who wait here for a token hold up nobody who could
// bring it; nobody who has a turn waits for a token, or all would go at once when it comes.
awaitable<access_token> https_api::turn_and_token(const http_place& place, attempts& so_far) {
  for (bool again = false;; again = true) {
    access_token token = co_await fresh_token(place, so_far);
    co_await take_turn(so_far);
    std::optional<access_token> held = token_.usable(clock_type::now());
    if (held) co_return *held;
    if (again) co_return token;  // it lives shorter than the line is long
  }
}

// Asks with the access token; a 401 is answered by one newer token and one replay, shared by all
// who were answered so.
awaitable<std::unique_ptr<http_response>> https_api::authorized(const http_place& place,
                                                                const json_call& asked,
                                                                call_info who, attempts& so_far) {
  for (bool replay = false;; replay = true) {
    const access_token token = co_await turn_and_token(place, so_far);
    http_request request;
    request.method = asked.method;
    request.target = asked.endpoint;
    request.body = asked.body;
    request.bearer = token.value;
    request.records = asked.records;
    request.fresh = asked.over == connection_use::fresh;
    awaitable<std::unique_ptr<http_response>> asking = ask(place, std::move(request), so_far);
    std::unique_ptr<http_response> response = co_await std::move(asking);
    const int status = response->head().status;
    // Only what deletes is done when there is nothing to say.
    const bool good = status == 200 || status == 201 || (status == 204 && asked.method == "DELETE");
    if (good) co_return response;
    http_response& open = *response;
    const answer a = co_await read_whole(open, error_body_limit);
    response->accept();
    if (a.status == 401 && !replay) {
      token_.refused_with(token.generation);
      continue;
    }
    who.secrets.push_back(&token.value);
    throw from_status(a, who);
  }
}

awaitable<void> https_api::authenticate() {
  const std::unique_ptr<http_place> held = co_await client_.enter();
  const http_place& place = *held;
  attempts so_far;
  const access_token token = co_await fresh_token(place, so_far);
}

// A whole answer, of at most asked.limit bytes, read while its connection is in hand.
awaitable<bool> https_api::fetch_json(const json_call& asked, attempts& so_far) {
  const std::unique_ptr<http_place> place = co_await client_.enter();
  const call_info who = call(asked);
  awaitable<std::unique_ptr<http_response>> asking = authorized(*place, asked, who, so_far);
  const std::unique_ptr<http_response> response = co_await std::move(asking);
  http_response& open = *response;
  const answer a = co_await read_whole(open, asked.limit + 1);
  if (a.body.size() > asked.limit) {
    throw failure{stage::receive, verdict::later, "response_too_large",
                  fmt::format("the answer of {} is larger than {} bytes", who.what, asked.limit)};
  }
  asked.read(a);
  response->accept();
  co_return true;
}

awaitable<void> https_api::ask_json(json_call asked) {
  attempts beginning;
  // A request that went out over a connection that had rested may have been lost on it.
  beginning.fresh_only = asked.once;
  const auto try_once = [&](attempts& so_far) { return fetch_json(asked, so_far); };
  const auto may_repeat = [&](const failure& f) { return !asked.once || surely_not_done(f); };
  awaitable<bool> trying = with_retries<bool>(try_once, may_repeat, beginning);
  co_await std::move(trying);
}

awaitable<credential_status> https_api::status(const secret& credentials_token) {
  credential_status status;
  json_call asked =
      posting(status_endpoint, status_body(credentials_token), object_limit, &credentials_token);
  const call_info who = call(asked);
  asked.read = [&](const answer& a) {
    status = read_status(a, who, options_.limits.bank_name_bytes);
  };
  awaitable<void> asking = ask_json(std::move(asked));
  co_await std::move(asking);
  co_return status;
}

awaitable<response_summary> https_api::fetch_transactions(const secret& credentials_token,
                                                          product what, window days,
                                                          connection_use over, batch_sink& sink,
                                                          bool& handed_on, attempts& so_far) {
  const auto begun = clock_type::now();
  json_call asked =
      posting(transactions_endpoint(what),
              transactions_body(credentials_token, days, options_.query), 0, &credentials_token);
  asked.over = over;
  asked.records = true;
  const call_info who = call(asked);
  const std::unique_ptr<http_place> place = co_await client_.enter();
  awaitable<std::unique_ptr<http_response>> asking = authorized(*place, asked, who, so_far);
  const std::unique_ptr<http_response> response = co_await std::move(asking);

  transaction_parser parser(who, parse_limits{});
  response_summary summary;
  for (bool more = true; more;) {
    const std::string_view piece = co_await response->read();
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
      response->pause();
      awaitable<void> taking = sink.take(std::move(batch));
      co_await std::move(taking);
      response->resume();
    }
  }
  response->accept();
  summary.elements = parser.elements();
  summary.rested_connection = response->rested();
  summary.repeats = response->repeats();
  summary.time_to_first_byte = response->time_to_first_byte();
  summary.duration = std::chrono::floor<std::chrono::milliseconds>(clock_type::now() - begun);
  co_return summary;
}

// One page of Aggregation v2: its body, and where it came from, are kept in `a`.
awaitable<page> https_api::ask_page(std::string_view endpoint, secret body,
                                    const secret& credentials_token, answer& a) {
  page found;
  json_call asked = posting(endpoint, std::move(body), page_limit, &credentials_token);
  asked.records = true;
  const call_info who = call(asked);
  asked.read = [&](const answer& came) {
    a = came;
    found = read_page(a, who);
  };
  std::optional<failure> failed;
  try {
    awaitable<void> asking = ask_json(std::move(asked));
    co_await std::move(asking);
    co_return found;
  } catch (const failure& f) {
    failed.emplace(f);
  }
  // A smaller window would be the same pages.
  if (failed->then == verdict::halve) failed->then = verdict::later;
  throw failure{*failed};
}

awaitable<std::vector<std::string>> https_api::product_ids(const secret& credentials_token,
                                                           product what) {
  call_info who = call(list_products_endpoint);
  who.secrets.push_back(&credentials_token);
  const std::vector<std::string> none;
  std::vector<std::string> ids;
  page_walk walk(who, options_.limits.answer_pages);
  do {
    secret body = listing_body(credentials_token, none, walk.token());
    answer a;
    awaitable<page> asking =
        ask_page(list_products_endpoint, std::move(body), credentials_token, a);
    const page p = co_await std::move(asking);
    for (const listed_product& listed : read_products(p, a, who)) {
      if (listed.type == to_string(what)) ids.push_back(listed.id);
    }
    walk.go_on(p);
  } while (walk.more());
  co_return ids;
}

// Every page of the product's transactions. The answer is many answers: it counts only when the
// provider did not refresh its data in between.
awaitable<response_summary> https_api::fetch_pages(const secret& credentials_token, product what,
                                                   batch_sink& sink) {
  const auto begun = clock_type::now();
  response_summary summary;
  call_info who = call(list_transactions_endpoint);
  who.secrets.push_back(&credentials_token);
  const credential_status before = co_await status(credentials_token);
  const std::vector<std::string> ids = co_await product_ids(credentials_token, what);
  page_walk walk(who, options_.limits.answer_pages);
  listed_transactions reader(who, what, ids);
  for (bool more = !ids.empty(); more; more = walk.more()) {
    secret body = listing_body(credentials_token, ids, walk.token());
    answer a;
    awaitable<page> asking =
        ask_page(list_transactions_endpoint, std::move(body), credentials_token, a);
    const page p = co_await std::move(asking);
    summary.bytes += a.body_bytes;
    summary.elements += static_cast<std::int64_t>(p.items.size());
    const std::size_t most = parse_limits{}.batch_records;
    for (std::size_t at = 0; at < p.items.size(); at += most) {
      transaction_batch batch = reader.read(p, a, at, most);
      awaitable<void> taking = sink.take(std::move(batch));
      co_await std::move(taking);
    }
    walk.go_on(p);
  }
  const credential_status now = co_await status(credentials_token);
  if (now.last_update != before.last_update) {
    throw failure(stage::receive, verdict::retry, "moved_while_paging",
                  fmt::format("{}: the provider refreshed its data between two pages", who.what));
  }
  summary.duration = std::chrono::floor<std::chrono::milliseconds>(clock_type::now() - begun);
  co_return summary;
}

awaitable<response_summary> https_api::transactions(const secret& credentials_token, product what,
                                                    window days, connection_use over,
                                                    batch_sink& sink) {
  if (options_.source == transaction_source::v2) {
    awaitable<response_summary> paging = fetch_pages(credentials_token, what, sink);
    response_summary summary = co_await std::move(paging);
    co_return summary;
  }
  // The sink holds a part that only its owner can forget: then he must ask again, not we.
  bool handed_on = false;
  const auto try_once = [&](attempts& so_far) {
    return fetch_transactions(credentials_token, what, days, over, sink, handed_on, so_far);
  };
  const auto may_repeat = [&](const failure&) { return !handed_on; };
  awaitable<response_summary> trying = with_retries<response_summary>(try_once, may_repeat);
  response_summary summary = co_await std::move(trying);
  co_return summary;
}

awaitable<product_batch> https_api::ask_for_list(product_list list, const secret* credentials_token,
                                                 connection_use over) {
  const bool banks = credentials_token == nullptr;
  json_call asked = posting(banks ? entities_endpoint : products_endpoint(*list.kind),
                            banks ? secret{} : products_body(*credentials_token),
                            product_body_limit, credentials_token);
  asked.over = over;
  asked.records = true;
  if (banks) asked.method = "GET";
  product_batch batch;
  const call_info who = call(asked);
  asked.read = [&](const answer& a) {
    batch = read_products(a, who, list);
    batch.rested_connection = a.rested_connection;
  };
  awaitable<void> asking = ask_json(std::move(asked));
  co_await std::move(asking);
  co_return batch;
}

awaitable<product_batch> https_api::products(const secret& credentials_token, product_kind kind,
                                             connection_use over) {
  return ask_for_list(product_list{kind}, &credentials_token, over);
}

awaitable<product_batch> https_api::entities() {
  return ask_for_list(product_list{}, nullptr, connection_use::any);
}

}  // namespace

std::unique_ptr<provider_client> make_flanks_api(asio::any_io_executor executor,
                                                 api_options options) {
  return std::make_unique<https_api>(std::move(executor), std::move(options));
}

}  // namespace flanks
