#include "daemon/pruning.hpp"

#include <fmt/format.h>

#include <string>

#include "db/pruner.hpp"
#include "sync/failure.hpp"

namespace flanks {

using boost::asio::awaitable;
namespace chr = std::chrono;

namespace {

constexpr chr::minutes between_claims{30};
// So that a long pass leaves the disk to the windows.
constexpr chr::milliseconds after_batch{200};
constexpr chr::milliseconds after_look{10};

void say_pruned(log& events, const pruning& pass) {
  std::string rows;
  for (const pruned_rows& line : pass.report()) {
    if (line.rows > 0)
      rows +=
          fmt::format("{}{} {} ({})", rows.empty() ? "" : ", ", line.rows, line.table, line.key);
  }
  if (rows.empty()) {
    events.debug("nothing is older than retention.* keeps");
  } else {
    events.info(event::pruned, {{"rows", rows}});
  }
}

awaitable<void> prune_once(boost::asio::any_io_executor executor, db_options options,
                           engine_clock& clock, log& events, retention_ages keep) {
  try {
    const std::unique_ptr<pruner> at = make_pruner(executor, std::move(options));
    auto claiming = at->claim();
    const bool ours = co_await std::move(claiming);
    if (!ours) co_return;
    pruning pass(keep, pruning::mode::remove);
    for (;;) {
      auto running = at->step(pass);
      const pruning::progress reached = co_await std::move(running);
      if (reached == pruning::progress::done) break;
      auto resting = clock.sleep(reached == pruning::progress::deleted ? after_batch : after_look);
      co_await std::move(resting);
    }
    say_pruned(events, pass);
  } catch (const failure& f) {
    events.warn(event::prune_failed,
                {{"error", f.what()}, {"hint", f.hint}});
  }
}

}  // namespace

awaitable<void> prune_on_schedule(boost::asio::any_io_executor executor, const db_options& options,
                                  engine_clock& clock, log& events, const retention_ages& keep) {
  for (;;) {
    auto running = prune_once(executor, options, clock, events, keep);
    co_await std::move(running);
    auto sleeping = clock.sleep(between_claims);
    co_await std::move(sleeping);
  }
}

}  // namespace flanks
