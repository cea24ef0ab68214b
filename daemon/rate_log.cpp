#include "daemon/rate_log.hpp"

namespace flanks {

namespace chr = std::chrono;

void rate_log::paused(const pause_notice& notice, bool began) {
  const auto until = chr::system_clock::now() + notice.left;
  totals_.paused_until = until;
  if (!began) return;
  if (!notice.answer.empty()) ++totals_.pauses;
  events_.warn("the provider asks us to wait; no process sends before",
               {{"until", to_string(chr::ceil<chr::seconds>(until))},
                {"pause_seconds", chr::ceil<chr::seconds>(notice.left).count()},
                {"http_status", notice.http_status},
                {"asked", notice.answer.empty() ? notice.other : "this process"},
                {"error", notice.answer}});
}

void rate_log::pause_over(chr::milliseconds lasted) {
  totals_.paused_until.reset();
  events_.info("the provider's pause is over",
               {{"pause_seconds", chr::ceil<chr::seconds>(lasted).count()}});
}

void rate_log::unreachable(const failure& why) {
  events_.warn("the rate limit in the database cannot be asked; requests wait",
               {{"error", why.what()}, {"hint", why.hint}});
}

void rate_log::reachable() {
  events_.info("the rate limit in the database answers again");
}

}  // namespace flanks
