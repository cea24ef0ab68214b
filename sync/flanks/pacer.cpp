#include "sync/flanks/pacer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace flanks {

namespace asio = boost::asio;
namespace chr = std::chrono;

namespace {

// The time of a place must fit into the types of clocks.
constexpr double slowest = 1e-6;

}  // namespace

// Waits in a coroutine's frame. Whoever leaves, for whatever reason, makes the next one look.
struct pacer::waiter {
  waiter(pacer& owner, chr::milliseconds longest)
      : line(owner), timer(owner.executor_), patience(longest), until(joined + longest) {
    place = line.line_.insert(line.line_.end(), this);
  }
  waiter(const waiter&) = delete;
  waiter& operator=(const waiter&) = delete;
  ~waiter() {
    line.line_.erase(place);
    line.wake_first();
  }
  [[nodiscard]] bool first() const { return line.line_.front() == this; }

  pacer& line;
  asio::steady_timer timer;
  clock::time_point joined = clock::now();
  std::list<waiter*>::iterator place;
  chr::milliseconds patience;
  clock::time_point until;  // it waits no longer
};

pacer::pacer(asio::any_io_executor executor, double per_second, rate_grants& shared,
             rate_observer& told, const pacer_timeouts& timeouts)
    : executor_(std::move(executor)),
      per_second_(per_second > 0 ? std::max(per_second, slowest) : 0),
      limiter_(per_second_),
      shared_(shared),
      told_(told),
      timeouts_(timeouts),
      idle_(executor_, clock::time_point::max()),
      pause_end_(executor_) {}

asio::awaitable<void> pacer::take_turn(chr::milliseconds patience) {
  waiter me(*this, patience);
  for (;;) {
    const auto now = clock::now();
    clock::time_point look = clock::time_point::max();
    if (me.first()) {
      if (limiter_.take(now)) {
        told_.waited(now - me.joined);
        co_return;
      }
      ask(now);
      look = limiter_.next_look(now);
    }
    give_up(me, now);
    me.timer.expires_at(std::min(look, patience_of(me)));
    boost::system::error_code ended;
    auto wait = me.timer.async_wait(asio::redirect_error(asio::use_awaitable, ended));
    co_await std::move(wait);  // it was woken, or its time has come; cancelled, the next one throws
  }
}

void pacer::wake_first() {
  if (!line_.empty()) line_.front()->timer.cancel();
}

// When it gives up, if nothing changes.
pacer::clock::time_point pacer::patience_of(const waiter& who) const {
  if (!silent_since_ || limiter_.has_places(clock::now())) return who.until;
  return std::min(who.until, std::max(who.joined, *silent_since_) + timeouts_.grant);
}

void pacer::give_up(const waiter& who, clock::time_point now) const {
  const auto seconds = [](chr::milliseconds time) { return chr::duration<double>(time).count(); };
  if (limiter_.paused_until() > who.until) {
    failure f{stage::send, verdict::later, "rate_limited",
              "the provider asked us to wait longer than a request may"};
    f.retry_after = chr::ceil<chr::seconds>(limiter_.paused_until() - now);
    throw f;
  }
  if (trouble_ && trouble_->verdict == verdict::stop && !limiter_.has_places(now))
    throw failure{*trouble_};
  if (now < patience_of(who)) return;
  if (now >= who.until) {
    throw failure{stage::send, verdict::later, "rate_limit_wait_timeout",
                  fmt::format("the rate limit left no place for a request within {} s",
                              seconds(who.patience))};
  }
  failure f{
      stage::database, verdict::later, "rate_grant_timeout",
      fmt::format("no request may be sent: the database did not answer for the rate limit "
                  "within {} s{}",
                  seconds(timeouts_.grant), trouble_ ? fmt::format(": {}", trouble_->what()) : "")};
  if (trouble_) f.hint = trouble_->hint;
  throw f;
}

void pacer::pause(chr::milliseconds wait, const failure& answer) {
  const auto now = clock::now();
  limiter_.pause(now + wait);
  if (!unwritten_ || now + wait > unwritten_->until) unwritten_ = {now + wait, answer.http_status};
  pause_notice notice;
  notice.http_status = answer.http_status;
  notice.answer = answer.what();
  note_pause(now, std::move(notice));
  ask(now);
}

void pacer::note_pause(clock::time_point now, pause_notice notice) {
  const clock::time_point until = limiter_.paused_until();
  if (until > now) {
    notice.left = chr::ceil<chr::milliseconds>(until - now);
    told_.paused(notice, !paused_since_);
    if (!paused_since_) paused_since_ = now;
    pause_ends(until);
  } else if (paused_since_) {
    told_.pause_over(chr::floor<chr::milliseconds>(now - *paused_since_));
    paused_since_.reset();
    pause_end_.cancel();
  }
}

// Its end is told also when nobody sends then.
void pacer::pause_ends(clock::time_point at) {
  pause_end_.expires_at(at);
  pause_end_.async_wait([this](boost::system::error_code cancelled) {
    if (!cancelled) note_pause(clock::now(), {});
  });
}

// The question comes first that others depend on.
std::optional<limiter::question> pacer::next_question(clock::time_point now) {
  if (unwritten_ && unwritten_->until <= now) unwritten_.reset();
  if (unwritten_ && limiter_.may_ask(now)) return limiter::question{};
  return limiter_.wanted(now, line_.size());
}

// Beside those who wait: they go on with what they have.
void pacer::ask(clock::time_point now) {
  if (asking_ || !next_question(now)) return;
  asking_ = true;
  auto ended = [this](std::exception_ptr error) {
    asking_ = false;
    idle_.cancel();
    if (error) std::rethrow_exception(error);
  };
  asio::co_spawn(executor_, ask_all(), std::move(ended));
}

asio::awaitable<void> pacer::ask_all() {
  for (auto now = clock::now();; now = clock::now()) {
    const std::optional<limiter::question> what = next_question(now);
    if (!what) co_return;
    const limiter::question asked = *what;
    limiter_.asked(now);
    if (!silent_since_) silent_since_ = now;
    try {
      const rate_grant answer = co_await send(asked);
      answered(answer);
    } catch (const failure& f) {
      unanswered(f);
    }
    wake_first();
  }
}

void pacer::answered(const rate_grant& answer) {
  const auto now = clock::now();
  limiter_.answered(answer, now);
  if (unwritten_) limiter_.pause(unwritten_->until);
  pause_notice notice;
  notice.http_status = answer.pause.http_status;
  notice.other = answer.pause.told;
  note_pause(now, std::move(notice));
  silent_since_.reset();
  if (trouble_) told_.reachable();
  trouble_.reset();
}

void pacer::unanswered(const failure& why) {
  limiter_.unanswered(clock::now());
  if (!trouble_) told_.unreachable(why);
  trouble_ = why;
}

asio::awaitable<rate_grant> pacer::send(limiter::question what) {
  rate_grant answer;
  if (unwritten_) {
    answer.pause = co_await write_pause();
  } else if (what.places > 0) {
    answer = co_await shared_.take(what.places, per_second_);
  } else {
    answer.pause = co_await shared_.paused();
  }
  co_return answer;
}

asio::awaitable<rate_pause> pacer::write_pause() {
  const told_pause told = *unwritten_;
  const auto left = chr::ceil<chr::milliseconds>(told.until - clock::now());
  const rate_pause now = co_await shared_.pause(left, told.http_status);
  if (unwritten_ && unwritten_->until == told.until) unwritten_.reset();
  co_return now;
}

asio::awaitable<void> pacer::close() {
  while (asking_) {
    boost::system::error_code ended;
    auto wait = idle_.async_wait(asio::redirect_error(asio::use_awaitable, ended));
    co_await std::move(wait);
  }
  pause_end_.cancel();  // nobody is left to tell
}

}  // namespace flanks
