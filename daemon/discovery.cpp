#include "daemon/discovery.hpp"

#include <algorithm>
#include <optional>

namespace flanks {

using boost::asio::awaitable;
namespace chr = std::chrono;

namespace {

constexpr chr::seconds longest_nap{60};  // so that a new interval is noticed

void say(log& events, const arrival_counts& c) {
  for (const std::string_view by : c.cut_short_by) {
    events.warn(event::list_cut_short,
                {{"cut_short_by", by}, {"pages", c.pages}, {"credentials", c.seen}});
  }
  const bool odd = c.refused + c.unusable > 0;
  const auto level = odd           ? config::log_level::warn
                     : c.added > 0 ? config::log_level::info
                                   : config::log_level::debug;
  events.write(level,
               odd ? event::list_refused : event::list_read,
               {{"new", c.added},
                {"known", c.known},
                {"without_user", c.without_user},
                {"erased", c.erased},
                {"refused", c.refused},
                {"unusable", c.unusable}});
}

awaitable<void> discover_once(credential_source& from, credential_book& into, log& events,
                              sync_limits limits) {
  try {
    arrival_options options;
    options.limits = limits;
    auto running = discover(from, into, std::move(options));
    const arrival_counts counts = co_await std::move(running);
    say(events, counts);
  } catch (const failure& f) {
    events.warn(event::discovery_failed,
                {{"error", f.what()},
                 {"hint", f.hint},
                 {"endpoint", f.endpoint},
                 http_status_field(f.http_status),
                 {"trace_id", f.trace_id},
                 {"our_trace_id", f.our_trace_id}});
  }
}

}  // namespace

awaitable<void> discover_on_schedule(credential_source& from, credential_book& into,
                                     engine_clock& clock, log& events, const chr::seconds& interval,
                                     const sync_limits& limits) {
  std::optional<chr::steady_clock::time_point> last;
  for (;;) {
    const auto now = clock.steady();
    const bool due = interval.count() > 0 && (!last || now - *last >= interval);
    if (due) {
      auto running = discover_once(from, into, events, limits);
      co_await std::move(running);
      last = now;
    }
    chr::milliseconds nap = longest_nap;
    if (interval.count() > 0) nap = std::min<chr::milliseconds>(nap, interval);
    auto sleeping = clock.sleep(nap);
    co_await std::move(sleeping);
  }
}

}  // namespace flanks
