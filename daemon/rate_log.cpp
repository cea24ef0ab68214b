#include "daemon/rate_log.hpp"

namespace flanks {

namespace chr = std::chrono;

void rate_log::paused(const pause_notice& notice, bool began) {
  const auto until = chr::system_clock::now() + notice.left;
  totals_.paused_until = until;
  if (!began) return;
  if (!notice.answer.empty()) ++totals_.pauses;
  events_.warn(event::provider_pause,
               {{"until", to_string(chr::ceil<chr::seconds>(until))},
                {"pause_seconds", chr::ceil<chr::seconds>(notice.left).count()},
                {"http_status", notice.http_status},
                {"asked", notice.answer.empty() ? notice.other : "this process"},
                {"error", notice.answer}});
}

void rate_log::pause_over(chr::milliseconds lasted) {
  totals_.paused_until.reset();
  events_.info(event::pause_over,
               {{"pause_seconds", chr::ceil<chr::seconds>(lasted).count()}});
}

void rate_log::unreachable(const failure& why) {
  events_.warn(event::rate_limit_unreachable,
               {{"error", why.what()}, {"hint", why.hint}});
}

void rate_log::reachable() {
  events_.info(event::rate_limit_reachable);
}

}  // namespace flanks
