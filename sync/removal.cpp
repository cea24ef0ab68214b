#include "sync/removal.hpp"

#include <algorithm>

namespace flanks {

std::optional<window> provable_days(const credential_status& status, product what, window asked,
                                    window history) {
  if (status.pending || !status.of(what).proves_absence()) return std::nullopt;
  const window days{std::max(asked.from, history.from + history_margin),
                    std::min(asked.to, history.to), asked.open};
  if (days.from > days.to) return std::nullopt;
  return days;
}

removal_decision decide_removal(const removal_facts& facts, const removal_limits& limits) {
  removal_decision decision;
  decision.suspicious = facts.under_review > 0;
  const std::int64_t absent = facts.fresh + facts.under_review;
  if (facts.fresh == 0) return decision;
  if (facts.unreadable > 0) {
    decision.what = removal_verdict::withhold;
    return decision;
  }
  const bool too_many = absent > limits.rows && absent * 100 > facts.stored * limits.percent;
  if (facts.empty_answer || too_many) {
    decision.what = removal_verdict::review;
    decision.reason = facts.empty_answer ? "empty_answer" : "too_many";
    decision.suspicious = true;
  } else {
    decision.what = removal_verdict::remove;
  }
  return decision;
}

}  // namespace flanks
