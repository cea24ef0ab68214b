// verify: proves that database and provider agree, or prints where they do not.
#include "sync/verify.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>

#include "daemon/commands/commands.hpp"
#include "daemon/scheduler.hpp"
#include "daemon/task_group.hpp"
#include "daemon/terminal.hpp"
#include "daemon/worker.hpp"
#include "db/commands/verification.hpp"
#include "sync/text.hpp"
#include "sync/window.hpp"

namespace flanks {

namespace {

namespace asio = boost::asio;
namespace json = boost::json;

// What is kept of all credentials; everything else is printed as it comes, so that a million of
// them take no memory.
struct proof_totals {
  std::int64_t windows = 0, equal = 0, different = 0, repaired = 0;
  std::int64_t not_verifiable = 0, failed = 0, locked = 0;
  std::int64_t compared = 0, differences = 0, interrupted = 0;
  std::optional<failure> stopped_by, unreachable;

  [[nodiscard]] bool nothing_compared() const { return equal + different + repaired == 0; }
};

std::string shown(const std::optional<std::string>& value) {
  return value ? fmt::format("\"{}\"", *value) : std::string("nothing");
}

std::string days_of(const proof_record& r) {
  if (!r.days) return "";
  return fmt::format(" {} to {}", to_string(r.days->from), to_string(r.days->to));
}

std::string verdict_of(const proof_record& r) {
  const comparison& c = r.found;
  const std::string aside =
      c.quarantined == 0 ? std::string()
                         : fmt::format("; {} in quarantine", terminal::grouped(c.quarantined));
  switch (r.outcome) {
    case proof_outcome::equal:
      return fmt::format("equal, {} operations{}", terminal::grouped(c.compared), aside);
    case proof_outcome::different:
      return fmt::format("DIFFERENT: {} missing, {} extra, {} altered of {} operations{}",
                         terminal::grouped(c.missing), terminal::grouped(c.extra),
                         terminal::grouped(c.altered), terminal::grouped(c.compared), aside);
    case proof_outcome::repaired:
      return fmt::format("REPAIRED: {} missing, {} extra, {} altered of {} operations{}; equal now",
                         terminal::grouped(c.missing), terminal::grouped(c.extra),
                         terminal::grouped(c.altered), terminal::grouped(c.compared), aside);
    case proof_outcome::not_verifiable:
      return "not verifiable now: " + r.detail;
    case proof_outcome::failed:
      return "failed: " + r.detail;
  }
  return {};
}

void print_people(const proof_record& r) {
  terminal::print("credential {} {}{}: {}\n", r.credential.value, to_string(r.what), days_of(r),
                  verdict_of(r));
  for (const row_difference& d : r.found.listed) {
    terminal::print("  {:<8} {}\n", to_string(d.what), d.id);
    for (const value_difference& v : d.values)
      terminal::print("           {}: provider {}, database {}\n", v.column, shown(v.provider),
                      shown(v.database));
  }
  const auto listed = static_cast<std::int64_t>(r.found.listed.size());
  if (r.found.differences() > listed)
    terminal::print("  ... and {} more\n", terminal::grouped(r.found.differences() - listed));
  if (r.outcome == proof_outcome::different && !r.detail.empty())
    terminal::print("  note: {}\n", r.detail);
}

json::value value_of(const std::optional<std::string>& text) {
  if (!text) return nullptr;
  return json::value(*text);
}

json::object object_of(const proof_record& r) {
  json::array differences;
  for (const row_difference& d : r.found.listed) {
    json::array values;
    for (const value_difference& v : d.values) {
      values.push_back(json::object{{"column", v.column},
                                    {"provider", value_of(v.provider)},
                                    {"database", value_of(v.database)}});
    }
    differences.push_back(
        json::object{{"what", to_string(d.what)}, {"_id", d.id}, {"values", std::move(values)}});
  }
  json::object o{{"credential_id", r.credential.value},
                 {"product", to_string(r.what)},
                 {"outcome", to_string(r.outcome)},
                 {"window_from", nullptr},
                 {"window_to", nullptr},
                 {"compared", r.found.compared},
                 {"missing", r.found.missing},
                 {"extra", r.found.extra},
                 {"altered", r.found.altered},
                 {"quarantined", r.found.quarantined},
                 {"detail", r.detail.empty() ? json::value(nullptr) : json::value(r.detail)},
                 {"differences", std::move(differences)}};
  if (r.days) o["window_from"] = to_string(r.days->from);
  if (r.days) o["window_to"] = to_string(r.days->to);
  return o;
}

class verify_story {
 public:
  verify_story(const invocation& asked, engine& e)
      : asked_(asked),
        engine_(e),
        db_(make_proof_store(e.executor, named(e.database, "proofs"))),
        observer_(*e.events, config::log_level::debug),
        group_(e.executor) {}

  asio::awaitable<void> tell() {
    const chosen_credentials chosen = co_await engine_.db->resolve(asked_.who);
    tell_left_out(static_cast<std::int64_t>(chosen.paused.size()));
    const auto limit = static_cast<std::size_t>(engine_.settings.values().sync.concurrency);
    if (asked_.json) terminal::print("[");
    for (const credential_id id : chosen.ids) {
      while (group_.size() >= limit)
        co_await group_.wait(std::chrono::hours{1});
      if (stopping_ || totals_.stopped_by) break;
      group_.spawn(one(id));
    }
    co_await group_.join();
    if (asked_.json) terminal::print("\n]\n");
  }

  // Nothing is half written: what is in hand is simply dropped.
  void stop() {
    stopping_ = true;
    group_.cancel();
    group_.wake();
  }
  [[nodiscard]] const proof_totals& totals() const { return totals_; }

 private:
  asio::awaitable<void> one(credential_id id) {
    std::optional<claimed_credential> credential = co_await claim_patiently(id);
    if (!credential) {
      if (stopping_) co_return;
      ++totals_.locked;
      terminal::print(stderr,
                      "credential {}: another worker holds its lease; try again in a moment\n",
                      id.value);
      co_return;
    }
    const lease_id lease = credential->lease;
    std::optional<proof_report> report;
    std::exception_ptr error;
    try {
      co_await prove(std::move(*credential), report);
    } catch (...) {
      error = std::current_exception();
    }
    const auto shield = shield_from_cancellation();
    co_await shield;
    co_await engine_.db->release_untouched(id, lease);
    if (report) count(*report);
    if (!report) ++totals_.interrupted;
    if (error && !is_cancellation(error)) std::rethrow_exception(error);
  }

  // The daemon may be at it: seconds, as a rule; at most the time of a lease when a worker died.
  asio::awaitable<std::optional<claimed_credential>> claim_patiently(credential_id id) {
    const auto deadline =
        engine_.clock->steady() + engine_.settings.values().sync.lease + std::chrono::seconds{5};
    for (;;) {
      std::optional<claimed_credential> credential = co_await engine_.db->claim(id);
      if (credential || stopping_ || engine_.clock->steady() > deadline) co_return credential;
      co_await engine_.clock->sleep(std::chrono::milliseconds{500});
    }
  }

  asio::awaitable<void> prove(claimed_credential credential, std::optional<proof_report>& report) {
    const mirror_tools mirror{*engine_.api, *engine_.db, *engine_.clock, observer_, engine_.policy};
    const worker_tools tools{engine_.executor, mirror, *engine_.events,
                             engine_.settings.values().sync.lease};
    const claimed_credential held = credential;
    auto filling = fill(std::move(credential), mirror, report);
    auto running = under_lease(tools, held, std::move(filling));
    (void)co_await std::move(running);
  }

  asio::awaitable<void> fill(claimed_credential credential, const mirror_tools& mirror,
                             std::optional<proof_report>& report) {
    proof_request request;
    request.credential = std::move(credential);
    request.run_id = run_id_;
    request.products = asked_.who.products.empty() ? engine_.policy.products : asked_.who.products;
    request.tries = engine_.policy.tries;
    const day today = day_of(engine_.clock->now());
    if (asked_.from)
      request.days = open_if_current({*asked_.from, asked_.to.value_or(today)}, today);
    const proof_tools tools{*engine_.api, *db_, *engine_.clock, asked_.repair ? &mirror : nullptr};
    report = co_await verify(tools, std::move(request));
  }

  void count(const proof_report& report) {
    if (report.stopped_by && !totals_.stopped_by) totals_.stopped_by = report.stopped_by;
    if (report.unreachable) totals_.unreachable = report.unreachable;
    for (const proof_record& r : report.records) {
      if (asked_.json) {
        terminal::print(
            "{}\n{}", totals_.windows == 0 ? "" : ",",
            terminal::verbatim{terminal::printable_json(json::serialize(object_of(r)))});
      } else {
        print_people(r);
      }
      ++totals_.windows;
      totals_.compared += r.found.compared;
      if (r.outcome == proof_outcome::different) totals_.differences += r.found.differences();
      totals_.equal += r.outcome == proof_outcome::equal ? 1 : 0;
      totals_.different += r.outcome == proof_outcome::different ? 1 : 0;
      totals_.repaired += r.outcome == proof_outcome::repaired ? 1 : 0;
      totals_.not_verifiable += r.outcome == proof_outcome::not_verifiable ? 1 : 0;
      totals_.failed += r.outcome == proof_outcome::failed ? 1 : 0;
    }
  }

  const invocation& asked_;
  engine& engine_;
  std::unique_ptr<proof_store> db_;
  logging_observer observer_;
  task_group group_;
  proof_totals totals_;
  std::string run_id_ = new_run_id();
  bool stopping_ = false;
};

void print_summary(const proof_totals& t) {
  terminal::print("{} compared, {}; {} equal, {} different{}, {} not verifiable now, {} failed\n",
                  terminal::amount(t.compared, "operation"),
                  terminal::amount(t.differences, "difference"), counted(t.equal, "window"),
                  t.different,
                  t.repaired == 0 ? std::string() : fmt::format(", {} repaired", t.repaired),
                  t.not_verifiable, t.failed);
}

// Where nothing could be compared nothing was proved: that is not a success.
exit_code code_of(const proof_totals& t, const engine& e) {
  if (t.stopped_by) return exit_code_of(*t.stopped_by);
  if (e.caught() != 0) return e.interrupted_code();
  if (t.differences > 0 || t.failed > 0 || t.interrupted > 0) return exit_code::some_failed;
  if (t.locked > 0 || (t.equal + t.repaired == 0 && t.not_verifiable > 0))
    return exit_code::try_again;
  return exit_code::done;
}

}  // namespace

exit_code command_verify(const invocation& asked) {
  if (asked.from && !asked.to &&
      *asked.from >
          day_of(std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now())))
    throw refusal(exit_code::usage, "--from lies in the future");
  engine e(asked, configure(asked, config::secret_scope::all));
  require_database(e, false);
  verify_story story(asked, e);
  e.run(story.tell(), [&] { story.stop(); });
  if (!asked.json) print_summary(story.totals());
  const proof_totals& totals = story.totals();
  if (totals.stopped_by) throw failure(*totals.stopped_by);
  if (totals.unreachable && totals.nothing_compared() && e.caught() == 0)
    throw failure(*totals.unreachable);
  return code_of(totals, e);
}

}  // namespace flanks
