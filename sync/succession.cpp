#include "sync/succession.hpp"

namespace flanks {

namespace {

constexpr std::int64_t enough_rows = 5;
constexpr std::int64_t enough_percent = 98;

}  // namespace

succession_verdict decide_succession(const succession_facts& facts) {
  if (facts.compared == 0) return succession_verdict::nothing;
  const bool confirmed = facts.compared >= enough_rows
                             ? facts.paired * 100 >= facts.compared * enough_percent
                             : facts.same_iban && facts.paired == facts.compared;
  return confirmed ? succession_verdict::confirm : succession_verdict::review;
}

}  // namespace flanks
