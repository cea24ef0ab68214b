#include "sync/limiter.hpp"

#include <algorithm>
#include <cmath>

namespace flanks {

namespace chr = std::chrono;

namespace {

using time_point = limiter::clock::time_point;

// One write of the database for this many requests is little; but whoever comes next waits for the
// whole time of a grant, so it is never longer than some seconds.
constexpr double usual_most = 128;
constexpr double longest_seconds = 5;
// One who sends now and then must not take the time of those who have much to send.
constexpr double first_seconds = 0.25;
constexpr chr::seconds rest{1};

}  // namespace

limiter::clock::duration limiter::time_of(double places) const {
  return chr::duration_cast<clock::duration>(chr::duration<double>(places / per_second_));
}

time_point limiter::next_place(const grant& g) const {
  return g.first + time_of(g.passed);
}

void limiter::drop_late(time_point now) {
  while (!grants_.empty()) {
    grant& g = grants_.front();
    while (g.passed < g.places && (next_place(g) + lateness < now || next_place(g) >= g.end))
      ++g.passed;
    if (g.passed < g.places && now < g.end) return;
    last_ = g;
    grants_.pop_front();
  }
}

// Until when a request waits for an answer about the pause. One that has a place goes on without
// when there is none: then the database is away.
time_point limiter::held_until(time_point now) const {
  if (knows(now)) return now;
  if (!limited() || may_ask(now)) return time_point::max();
  return asked_at_ ? *asked_at_ + patience : now;
}

bool limiter::take(time_point now) {
  drop_late(now);
  if (now < paused_until_ || now < held_until(now)) return false;
  if (!limited()) return true;
  if (grants_.empty() || now < next_place(grants_.front())) return false;
  ++grants_.front().passed;
  ++grants_.front().used;
  return true;
}

// While nearly every place is used, the next grant comes before there is none left.
time_point limiter::places_due() const {
  if (!limited()) return time_point::max();
  const time_point after_pause = paused_until_ - lead;
  if (grants_.empty()) return after_pause;
  const grant& g = grants_.back();
  if (4 * g.used < 3 * g.passed) return time_point::max();
  return std::max({after_pause, g.first + time_of(g.places / 2.0), g.end - lead});
}

// Grows as long as there is use for it.
int limiter::size_of_next(time_point now, std::size_t waiting) const {
  double size = std::max(static_cast<double>(waiting), std::ceil(per_second_ * first_seconds));
  if (!grants_.empty()) {
    size = std::max(size, 4.0 * grants_.back().places);
  } else if (now < last_.end + rest) {
    size = std::max(size, 2.0 * last_.used);
  }
  const double most =
      std::min(std::max(usual_most, per_second_), std::floor(per_second_ * longest_seconds));
  return static_cast<int>(std::max(1.0, std::min(size, most)));
}

std::optional<limiter::question> limiter::wanted(time_point now, std::size_t waiting) {
  drop_late(now);
  if (waiting == 0 || !may_ask(now)) return std::nullopt;
  if (places_due() <= now) return question{size_of_next(now, waiting)};
  if (!knows(now)) return question{};
  return std::nullopt;
}

time_point limiter::next_look(time_point now) const {
  time_point place = limited() ? time_point::max() : now;
  if (limited() && !grants_.empty()) place = next_place(grants_.front());
  place = std::max({place, paused_until_, held_until(now)});
  if (asked_at_) return place;
  const time_point old = heard_at_ ? *heard_at_ + knowledge : now;
  return std::min(place, std::max(not_before_, std::min(old, places_due())));
}

void limiter::answered(const rate_grant& answer, time_point now) {
  heard_at_ = now;
  paused_until_ = answer.pause.left.count() > 0 ? now + answer.pause.left : time_point{};
  if (limited() && answer.places > 0) {
    // When the database wrote it is not known but for these two: later than the one and earlier
    // than the other. So the first place is never early, and the end never late.
    grant g;
    g.first = now + answer.starts_in;
    g.end = asked_at_.value_or(now) + answer.starts_in + time_of(answer.places);
    g.places = answer.places;
    const double lost = std::floor(chr::duration<double>(g.first - g.end).count() * per_second_);
    g.used = std::clamp(static_cast<int>(lost) + g.places, 0, g.places);
    grants_.push_back(g);
  }
  asked_at_.reset();
}

void limiter::unanswered(time_point now) {
  asked_at_.reset();
  not_before_ = now + ask_again;
}

void limiter::pause(time_point until) {
  paused_until_ = std::max(paused_until_, until);
}

bool limiter::has_places(time_point now) const {
  return std::any_of(grants_.begin(), grants_.end(),
                     [&](const grant& g) { return g.passed < g.places && now < g.end; });
}

}  // namespace flanks
