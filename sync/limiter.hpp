// How fast we may go: which request may start now, and what to ask the shared rate limit for
// (sync/rate_grants.hpp). Pure: time is handed in, nothing sleeps or asks here.
//
// A place that was granted is used at its time or up to `lateness` after it, never before, and
// never after the time of its grant. So, whoever else has places, a span of t seconds holds no more
// than per_second * (t + 0.06) + 2 requests: above the limit by a tenth of a second's worth at
// most, where the limit is 50 or more, and by some requests where it is less.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>

#include "sync/rate_grants.hpp"

namespace flanks {

class limiter {
 public:
  using clock = std::chrono::steady_clock;

  static constexpr std::chrono::milliseconds lateness{60};
  // How old what we know of the pause may be while requests are sent.
  static constexpr std::chrono::seconds knowledge{1};
  // How long a request that has a place waits for newer knowledge: the database may be away.
  static constexpr std::chrono::milliseconds patience{100};
  // A grant is asked for this long before there is use for it.
  static constexpr std::chrono::milliseconds lead{500};
  // After a question that was not answered.
  static constexpr std::chrono::milliseconds ask_again{500};

  // `per_second` requests on the long run; 0 or less: no limit, only pauses are asked about.
  explicit limiter(double per_second) : per_second_(per_second) {}

  // Whether a request may start at `now`; then it has used its place.
  [[nodiscard]] bool take(clock::time_point now);

  // What to ask, `waiting` requests being in line that take() has refused: for so many places, or
  // with 0 places only about the pause. Nothing: the question before has no answer yet, or what is
  // known will do.
  struct question {
    int places = 0;
  };
  [[nodiscard]] std::optional<question> wanted(clock::time_point now, std::size_t waiting);
  // When take() or wanted() may say something else, if there is no answer before.
  [[nodiscard]] clock::time_point next_look(clock::time_point now) const;

  // The question was sent; its answer came; there will be none.
  void asked(clock::time_point now) { asked_at_ = now; }
  void answered(const rate_grant& answer, clock::time_point now);
  void unanswered(clock::time_point now);
  // Not for some time after a question that was not answered.
  [[nodiscard]] bool may_ask(clock::time_point now) const {
    return !asked_at_ && now >= not_before_;
  }

  // Nothing may start before `until`; a longer pause stays until an answer says otherwise.
  void pause(clock::time_point until);
  [[nodiscard]] clock::time_point paused_until() const { return paused_until_; }

  // Whether a place is left that a request can wait for.
  [[nodiscard]] bool has_places(clock::time_point now) const;

 private:
  struct grant {
    clock::time_point first, end;
    int places = 0;
    int passed = 0;  // used, or nobody came in time
    int used = 0;    // or lost to the network: what there was use for
  };
  [[nodiscard]] bool limited() const { return per_second_ > 0; }
  [[nodiscard]] clock::duration time_of(double places) const;
  [[nodiscard]] clock::time_point next_place(const grant& g) const;
  void drop_late(clock::time_point now);
  [[nodiscard]] bool knows(clock::time_point now) const {
    return heard_at_ && now < *heard_at_ + knowledge;
  }
  [[nodiscard]] clock::time_point held_until(clock::time_point now) const;
  [[nodiscard]] clock::time_point places_due() const;
  [[nodiscard]] int size_of_next(clock::time_point now, std::size_t waiting) const;

  double per_second_;
  std::deque<grant> grants_;  // in the order of their time
  grant last_;                // of those that are over
  std::optional<clock::time_point> asked_at_, heard_at_;
  clock::time_point not_before_{};  // a question
  clock::time_point paused_until_{};
};

}  // namespace flanks
