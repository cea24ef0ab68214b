#include "sync/flanks/requester.hpp"

#include <fmt/format.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include "sync/flanks/errors.hpp"
#include "sync/flanks/query.hpp"
#include "sync/flanks/timed_response.hpp"

namespace flanks {

namespace asio = boost::asio;
using asio::awaitable;
using clock_type = std::chrono::steady_clock;

namespace {

constexpr std::size_t token_limit = 1024 * 1024;  // bytes of a token answer

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

// Whether a call that the provider does only once may be sent again after `f`: it was never sent,
// or was turned away at the door.
bool surely_not_done(const failure& f) {
  return f.stage == stage::resolve || f.stage == stage::connect || f.stage == stage::tls ||
         f.stage == stage::token || f.error_class == "rate_limited" || f.retry_after.has_value();
}

bool always(const failure&) {
  return true;
}

std::string_view path_of(std::string_view target) {
  return target.substr(0, target.find('?'));
}

// Tells of every try but the first.
class told_tries {
 public:
  told_tries(request_observer& told, std::string_view target)
      : told_(told), endpoint_(path_of(target)) {}
  void next(const attempts& so_far) {
    if (std::exchange(begun_, true))
      told_.retried(endpoint_, so_far.after_pause ? retry_cause::paused : retry_cause::failed);
  }

 private:
  request_observer& told_;
  std::string_view endpoint_;
  bool begun_ = false;
};

// What the log tells of a request that failed. Failures of others, as of the database that an
// answer is written to, pass as they are.
failure of_request(const failure& f, std::string_view endpoint, const attempts& so_far) {
  failure told = f;
  if (f.stage > stage::answer) return told;
  if (!told.our_trace_id.empty()) return told;  // the token call's, that others waited for
  told.endpoint = path_of(endpoint);
  told.our_trace_id = so_far.trace.value;
  return told;
}

}  // namespace

// One token call that everyone waits for.
struct requester::token_flight {
  explicit token_flight(const asio::any_io_executor& executor)
      : landed(executor, clock_type::time_point::max()) {}

  asio::steady_timer landed;  // cancelled when it has
  bool done = false;
  bool brought_one = false;
  std::optional<failure> failed;  // neither: its caller was cancelled, someone else must go
};

requester::requester(asio::any_io_executor executor, const api_options& options)
    : executor_(std::move(executor)),
      options_(options),
      told_(options_.requests != nullptr ? *options_.requests : untold_),
      where_(origin_of(options_.base_url)),
      client_(executor_, where_, options_),
      tries_(executor_, options_) {}

call_info requester::call(const json_call& asked) const {
  call_info who = asked.info(where_.authority());
  who.what = fmt::format("{} {}{} at {}", asked.method, where_.path_prefix, asked.endpoint,
                         where_.authority());
  who.secrets.insert(who.secrets.end(), {&keys_.client_secret, &keys_.password});
  return who;
}

awaitable<void> requester::close() {
  co_await tries_.close();
  co_await client_.close();
}

awaitable<void> requester::ask(const json_call& asked, const response_reader& read,
                               const repeat_rule& may_repeat) {
  attempts so_far;
  so_far.trace = asked.trace ? *asked.trace : new_trace();
  // A request that went out over a connection that had rested may have been lost on it.
  so_far.fresh_only = asked.once;
  try {
    awaitable<void> asking = try_to_ask(asked, read, may_repeat, so_far);
    co_await std::move(asking);
  } catch (const failure& f) {
    throw of_request(f, asked.endpoint, so_far);
  }
}

awaitable<void> requester::try_to_ask(const json_call& asked, const response_reader& read,
                                      const repeat_rule& may_repeat, attempts& so_far) {
  told_tries tries(told_, asked.endpoint);
  const try_once once = [&](attempts& until_now) {
    tries.next(until_now);
    return ask_once(asked, read, until_now);
  };
  awaitable<void> trying = tries_.run(once, may_repeat, so_far);
  co_await std::move(trying);
}

awaitable<void> requester::ask_json(json_call asked) {
  const response_reader read = [&](http_response& response) { return read_json(asked, response); };
  const repeat_rule may_repeat = [&](const failure& f) {
    return !asked.once || surely_not_done(f);
  };
  awaitable<void> asking = ask(asked, read, may_repeat);
  co_await std::move(asking);
}

awaitable<void> requester::read_json(const json_call& asked, http_response& response) const {
  const answer a = co_await read_whole(response, asked.limit + 1);
  if (a.body.size() > asked.limit) {
    throw failure{
        stage::receive, verdict::later, "response_too_large",
        fmt::format("the answer of {} is larger than {} bytes", call(asked).what, asked.limit)};
  }
  asked.read(a);
}

// The answer is read while its connection is in hand.
awaitable<void> requester::ask_once(const json_call& asked, const response_reader& read,
                                    attempts& so_far) {
  const std::unique_ptr<http_place> place = co_await client_.enter();
  awaitable<std::unique_ptr<http_response>> asking = authorized(*place, asked, so_far);
  const std::unique_ptr<http_response> response = co_await std::move(asking);
  awaitable<void> reading = read(*response);
  co_await std::move(reading);
  response->accept();
}

// Asks with the access token; a 401 is answered by one newer token and one replay, shared by all
// who were answered so.
awaitable<std::unique_ptr<http_response>> requester::authorized(const http_place& place,
                                                                const json_call& asked,
                                                                attempts& so_far) {
  for (bool replay = false;; replay = true) {
    const access_token token = co_await turn_and_token(place, so_far);
    http_request request;
    request.method = asked.method;
    request.target = asked.endpoint;
    request.body = asked.body;
    request.bearer = token.value;
    request.records = asked.records;
    request.fresh = asked.over == connection_use::fresh;
    awaitable<std::unique_ptr<http_response>> sending = send(place, std::move(request), so_far);
    std::unique_ptr<http_response> response = co_await std::move(sending);
    const int status = response->head().status;
    // Only what deletes is done when there is nothing to say.
    const bool good = status == 200 || status == 201 || (status == 204 && asked.method == "DELETE");
    if (good) co_return response;
    http_response& open = *response;
    const answer a = co_await read_whole(open, error_body_limit);
    response->accept();
    if (a.status == 401 && !replay) {
      token_.refused_with(token.generation);
      told_.retried(path_of(asked.endpoint), retry_cause::token_refused);
      continue;
    }
    call_info who = call(asked);
    who.secrets.push_back(&token.value);
    throw from_status(a, who);
  }
}

awaitable<std::unique_ptr<http_response>> requester::send(const http_place& place,
                                                          http_request request, attempts& so_far) {
  tries_.count_request();
  so_far.rested = false;
  request.fresh = request.fresh || so_far.fresh_only;
  const std::string endpoint(path_of(request.target));
  const auto sent = clock_type::now();
  request.traceparent = traceparent(so_far.trace);
  awaitable<std::unique_ptr<http_response>> sending = client_.send(place, std::move(request));
  std::unique_ptr<http_response> response;
  try {
    response = co_await std::move(sending);
  } catch (const failure&) {
    told_.ended(endpoint, 0, clock_type::now() - sent);
    throw;
  }
  so_far.rested = response->rested();
  co_return timed(std::move(response), told_, endpoint, sent);
}

awaitable<void> requester::authenticate() {
  const std::unique_ptr<http_place> held = co_await client_.enter();
  const http_place& place = *held;
  attempts so_far;
  so_far.trace = new_trace();
  const access_token token = co_await fresh_token(place, so_far);
}

// A turn, and a token that is good when it comes. The one who fetches the token has his place
// already and takes a turn of his own, so those who wait here for a token hold up nobody who could
// bring it; nobody who has a turn waits for a token, or all would go at once when it comes.
awaitable<access_token> requester::turn_and_token(const http_place& place, attempts& so_far) {
  for (bool again = false;; again = true) {
    access_token token = co_await fresh_token(place, so_far);
    co_await tries_.take_turn(so_far);
    std::optional<access_token> held = held_token();
    if (held) co_return *held;
    if (again) co_return token;  // it lives shorter than the line is long
  }
}

// New keys are tried at once, not when the token of the old ones ends: a wrong one is seen by who
// has just put it there.
std::optional<access_token> requester::held_token() const {
  if (granted_number_ != options_.keys->number()) return std::nullopt;
  return token_.usable(clock_type::now());
}

awaitable<access_token> requester::fresh_token(const http_place& place, attempts& so_far) {
  for (;;) {
    const auto now = clock_type::now();
    std::optional<access_token> held = held_token();
    if (held) co_return *held;
    const std::optional<failure> refusal = token_.standing_refusal(now);
    if (refusal && refused_number_ == options_.keys->number()) throw failure{*refusal};
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
      tries_.use_up_pauses(so_far);
      throw failure{*flight->failed};
    }
    if (flight->brought_one) {
      access_token brought = token_.newest();
      co_return brought;
    }
  }
}

// With the tries and waits of the request that needs it.
awaitable<void> requester::fetch_token(const http_place& place, attempts& so_far) {
  const auto flight = std::make_shared<token_flight>(executor_);
  flight_ = flight;
  struct landing {  // also when we are cancelled
    requester& requests;
    token_flight& flight;
    ~landing() {
      flight.done = true;
      flight.landed.cancel();
      requests.flight_.reset();
    }
  };
  const landing at_the_end{*this, *flight};
  const std::uint64_t asked_with = options_.keys->number();
  told_tries tries(told_, token_endpoint);
  const try_once once = [&](attempts& until_now) {
    tries.next(until_now);
    return fetch_token_once(place, until_now);
  };
  const repeat_rule may_repeat = always;
  std::optional<failure> failed;
  try {
    awaitable<void> trying = tries_.run(once, may_repeat, so_far);
    co_await std::move(trying);
    flight->brought_one = true;
    granted_number_ = asked_with;
    co_return;
  } catch (const failure& f) {
    failed.emplace(f);
  }
  told_.token_failed();
  failed.emplace(of_request(*failed, token_endpoint, so_far));
  if (failed->verdict == verdict::stop) {
    token_.keys_refused(*failed, clock_type::now());
    refused_number_ = asked_with;
  }
  // Those who wait must not try it all again, each on his own.
  if (failed->verdict == verdict::retry) failed->verdict = verdict::later;
  flight->failed = failed;
  throw failure{*failed};
}

awaitable<void> requester::fetch_token_once(const http_place& place, attempts& so_far) {
  co_await tries_.take_turn(so_far);
  awaitable<provider_keys> asking = options_.keys->current();
  provider_keys now = co_await std::move(asking);
  keys_ = std::move(now);
  json_call asked;
  asked.endpoint = token_endpoint;
  const call_info who = call(asked);
  http_request request;
  request.target = token_endpoint;
  request.body = token_body(options_, keys_);
  awaitable<std::unique_ptr<http_response>> sending = send(place, std::move(request), so_far);
  const std::unique_ptr<http_response> response = co_await std::move(sending);
  http_response& open = *response;
  const answer a = co_await read_whole(open, token_limit);
  if (a.status != 200) throw from_token_status(a, who, options_.client_id);
  granted_token token = read_token(a, who);
  response->accept();
  told_.token_came(token.lifetime);
  token_.accept(std::move(token), clock_type::now());
}

}  // namespace flanks
