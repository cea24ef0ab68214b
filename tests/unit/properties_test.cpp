// What must hold for every window and every day, not only for those that somebody thought of.
// RapidCheck prints the seed of a failure (RC_PARAMS="seed=..." repeats it).
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "sync/window.hpp"

namespace flanks {
namespace {

namespace chr = std::chrono;

day any_day() {
  static const day first = *day_from("2000-01-01");
  return first + chr::days{*rc::gen::inRange(0, 36'890)};  // to 2100-12-31
}

window any_window(int longest) {
  const day from = any_day();
  return {from, from + chr::days{*rc::gen::inRange(0, longest)}};
}

RC_GTEST_PROP(window_property, every_day_is_its_own_text, ()) {
  const day d = any_day();
  RC_ASSERT(day_from(to_string(d)) == d);
}

RC_GTEST_PROP(window_property, the_next_window_loses_no_day_since_what_is_covered, ()) {
  const window covered = any_window(4000);
  const day today = covered.to + chr::days{*rc::gen::inRange(-400, 4000)};
  const int months = *rc::gen::inRange(1, 121);
  const chr::days overlap{*rc::gen::inRange(0, 731)};
  const window all = history(today, months);
  const window next = next_window(covered, all, overlap);
  RC_ASSERT(next.to == today);
  RC_ASSERT(next.from >= all.from);
  // Every day of history is covered, or in the window; and the overlap is in it, as far as history
  // goes.
  const bool reaches_back = covered.from <= all.from;
  RC_ASSERT(!reaches_back || next.from <= std::max(all.from, covered.to + chr::days{1}));
  RC_ASSERT(reaches_back || next == all);
  RC_ASSERT(next.from <= std::max(all.from, std::min(covered.to, today) - overlap));
}

RC_GTEST_PROP(window_property, halving_again_and_again_keeps_every_day_once_and_in_order, ()) {
  const window whole = any_window(800);
  std::vector<window> open{whole};
  day next = whole.from;
  while (!open.empty()) {
    const window w = open.back();
    open.pop_back();
    const auto parts = *rc::gen::arbitrary<bool>() ? halves(w) : std::nullopt;
    if (parts) {
      open.push_back(parts->second);
      open.push_back(parts->first);
      continue;
    }
    RC_ASSERT(w.from == next);
    next = w.to + chr::days{1};
  }
  RC_ASSERT(next == whole.to + chr::days{1});
}

}  // namespace
}  // namespace flanks
