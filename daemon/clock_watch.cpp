#include "daemon/clock_watch.hpp"

#include "sync/error_class.hpp"

namespace flanks {

namespace {

namespace chr = std::chrono;

constexpr chr::minutes between_questions{1};
constexpr chr::seconds same{10};  // what is told is not told anew for every second

struct comparison {
  std::string_view whose;
  stage at;
  std::optional<chr::seconds> ahead;
};

}  // namespace

boost::asio::awaitable<void> clock_watch::look() {
  const auto now = chr::steady_clock::now();
  if (now - asked_ >= between_questions || !database_ahead_) {
    asked_ = now;
    co_await ask_database();
  }
  judge();
  co_await teller_.tell(trouble_);
}

boost::asio::awaitable<void> clock_watch::ask_database() {
  try {
    auto asking = db_.clock_ahead();
    database_ahead_ = co_await std::move(asking);
  } catch (const failure& f) {
    events_.debug("cannot read the clock of the database", {{"error", f.what()}});
  }
}

void clock_watch::judge() {
  // The provider first: a clock that differs from both is this machine's.
  const comparison all[] = {{"the provider", stage::answer, provider_ahead()},
                            {"the database", stage::database, database_ahead_}};
  for (const comparison& c : all) {
    if (!c.ahead) continue;
    const finding found = clock_finding("", c.whose, *c.ahead);
    if (found.error_class.empty()) continue;
    const bool known = trouble_ && trouble_->stage == c.at && chr::abs(*c.ahead - told_) <= same;
    if (known) return;
    trouble_.emplace(c.at, verdict::later, found.error_class, found.says);
    told_ = *c.ahead;
    events_.warn(event::clocks_apart, {{"error", found.says},
                                       {"hint", found.hint},
                                       {"error_class", found.error_class},
                                       {"who_must_act", who_must_act(found.error_class)}});
    return;
  }
  if (trouble_) events_.info(event::clocks_agree);
  trouble_.reset();
}

}  // namespace flanks
