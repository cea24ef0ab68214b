#include "daemon/worker.hpp"

#include <fmt/format.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <random>

#include "daemon/task_group.hpp"
#include "sync/error_class.hpp"
#include "sync/product_story.hpp"

namespace flanks {

namespace asio = boost::asio;

namespace {

class process_clock final : public engine_clock {
 public:
  explicit process_clock(asio::any_io_executor executor)
      : executor_(std::move(executor)), random_(std::random_device{}()) {}

  [[nodiscard]] instant now() const override {
    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  }
  [[nodiscard]] std::chrono::steady_clock::time_point steady() const override {
    return std::chrono::steady_clock::now();
  }
  asio::awaitable<void> sleep(std::chrono::milliseconds time) override {
    asio::steady_timer timer(executor_, time);
    co_await timer.async_wait(asio::use_awaitable);
  }
  double random() override { return std::uniform_real_distribution<double>{0, 1}(random_); }

 private:
  asio::any_io_executor executor_;
  std::mt19937_64 random_;
};

asio::awaitable<void> tell_story(worker_tools tools, assignment job,
                                 std::optional<credential_report>& report) {
  report = co_await mirror(tools.mirror, std::move(job));
}

// Until when nobody else can have the lease, by our own steady clock: counted from the sending of
// the last claim or renewal that succeeded.
struct lease_time {
  std::chrono::steady_clock::time_point until;
  bool lost = false;
};

// Renews the lease three times in its life. A database that does not answer is not a lost lease
// yet.
asio::awaitable<void> renew_lease(worker_tools tools, credential_id id, lease_id lease,
                                  lease_time& held, task_group& story) {
  const std::chrono::milliseconds period = std::chrono::milliseconds{tools.lease} / 3;
  while (!held.lost) {
    co_await tools.mirror.clock.sleep(period);
    const auto sent = tools.mirror.clock.steady();
    bool renewed = false;
    try {
      renewed = co_await tools.mirror.db.renew(id, lease);
      held.lost = held.lost || !renewed;  // what ran out meanwhile stays lost
    } catch (const failure& f) {
      tools.events.warn(event::lease_not_renewed,
                        {{"credential_id", id.value}, {"error", f.what()}});
    }
    if (renewed) held.until = sent + tools.lease;
  }
  tools.events.warn(event::lease_lost, {{"credential_id", id.value}});
  story.cancel();
}

// Ends the story when the lease has run out, whatever the database says or does not say: another
// worker may ask the provider for this credential from then on (promise P12).
asio::awaitable<void> end_with_lease(worker_tools tools, credential_id id, lease_time& held,
                                     task_group& story) {
  for (auto now = tools.mirror.clock.steady(); now < held.until;
       now = tools.mirror.clock.steady()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(held.until - now);
    co_await tools.mirror.clock.sleep(left);
  }
  held.lost = true;
  tools.events.warn(event::lease_ran_out, {{"credential_id", id.value}});
  story.cancel();
}

// What the story leaves in `report` is whole or nothing; a lease that was lost leaves a report of
// that.
asio::awaitable<void> tell_under_lease(worker_tools tools, assignment job,
                                       std::optional<credential_report>& report) {
  const claimed_credential credential = job.credential;
  auto telling = tell_story(tools, std::move(job), report);
  auto running = under_lease(tools, credential, std::move(telling));
  const bool held = co_await std::move(running);
  if (report || held) co_return;
  report.emplace();
  report->id = credential.id;
  report->add(
      failure(stage::lease, verdict::later, "lease_lost",
              fmt::format("credential {}: the lease was lost; what was not stored yet is dropped",
                          credential.id.value)));
}

// False when that could not be recorded. With the failure's delay whatever goes wrong: a credential
// that stays due as it was would be tried again at once, for ever.
asio::awaitable<bool> give_back(worker_tools tools, credential_id id, lease_id lease,
                                std::optional<next_attempt> next) {
  std::optional<failure> failed;
  try {
    if (next) {
      co_await tools.mirror.db.release(id, lease, *next);
    } else {
      co_await tools.mirror.db.release_untouched(id, lease);
    }
    co_return true;
  } catch (const failure& f) {
    failed = f;
  }
  tools.mirror.observer.unrecorded(id, *failed);
  if (!next) co_return false;
  next->lease_only = true;
  try {
    co_await tools.mirror.db.release(id, lease, *next);
  } catch (const failure& f) {
    tools.events.warn(event::lease_not_returned,
                      {{"credential_id", id.value}, {"error", f.what()}});
  }
  co_return false;
}

}  // namespace

asio::awaitable<bool> under_lease(worker_tools tools, claimed_credential credential,
                                  asio::awaitable<void> work) {
  task_group story(tools.executor);
  task_group keeper(tools.executor);
  lease_time held{credential.claimed_at + tools.lease};
  story.spawn(std::move(work));
  keeper.spawn(renew_lease(tools, credential.id, credential.lease, held, story));
  keeper.spawn(end_with_lease(tools, credential.id, held, story));
  std::exception_ptr error;
  try {
    co_await story.join();
  } catch (...) {
    error = std::current_exception();
  }
  keeper.cancel();
  const auto shield = shield_from_cancellation();
  co_await shield;
  co_await keeper.join();
  if (error) std::rethrow_exception(error);
  co_return !held.lost;
}

namespace {

// `failed`: a run_record or a product_run; lists of products have no window.
template <class Run>
void tell_failed(log& events, event what, const Run& failed, std::string_view product,
                 std::string_view window) {
  events.write(config::log_level::warn, what,
               {{"credential_id", failed.credential.value},
                {"product", product},
                {"window", window},
                {"error_class", failed.error_class},
                {"who_must_act", who_must_act(failed.error_class)},
                {"stage", failed.error_stage},
                {"error", failed.error_message},
                {"hint", failed.error_hint},
                {"endpoint", failed.endpoint},
                http_status_field(failed.http_status),
                {"provider_code", failed.provider_code},
                {"trace_id", failed.trace_id},
                {"our_trace_id", failed.our_trace_id},
                {"trigger", to_string(failed.why)},
                {"run_id", failed.run_id}});
}

}  // namespace

std::unique_ptr<engine_clock> make_clock(asio::any_io_executor executor) {
  return std::make_unique<process_clock>(std::move(executor));
}

void logging_observer::received(std::int64_t) {}

void logging_observer::ended(const run_record& r) {
  const std::string days = r.days ? to_string(r.days->from) + ".." + to_string(r.days->to) : "";
  const std::string_view what = r.what ? to_string(*r.what) : "";
  if (r.outcome == outcome::failed) {
    tell_failed(events_, event::run_failed, r, what, days);
    return;
  }
  if (r.outcome == outcome::unchanged_upstream || r.outcome == outcome::not_available) {
    events_.debug("not fetched", {{"credential_id", r.credential.value},
                                  {"product", what},
                                  {"outcome", to_string(r.outcome)},
                                  {"reason", r.error_message},
                                  {"our_trace_id", r.our_trace_id},
                                  {"run_id", r.run_id}});
    return;
  }
  const bool good = r.outcome == outcome::ok;
  const bool vanished = r.outcome == outcome::suspicious;
  // Words of its own has only what the database refused.
  const bool unread = r.outcome == outcome::partial && r.error_message.empty();
  const std::string error_class = good ? "" : unread ? "quarantined" : r.error_class;
  events_.write(good ? good_ : config::log_level::warn,
                vanished ? event::rows_vanished : event::window_stored,
                {{"credential_id", r.credential.value},
                 {"product", what},
                 {"window", days},
                 {"outcome", to_string(r.outcome)},
                 {"error_class", error_class},
                 {"who_must_act", who_must_act(error_class)},
                 {"error", good     ? ""
                           : unread ? quarantine_words(r.counts.quarantined)
                                    : r.error_message},
                 {"hint", good     ? ""
                          : unread ? quarantine_hint(r.credential)
                                   : r.error_hint},
                 {"fetched", r.counts.fetched},
                 {"inserted", r.counts.inserted},
                 {"updated", r.counts.updated},
                 {"unchanged", r.counts.unchanged},
                 {"removed", r.counts.removed},
                 {"quarantined", r.counts.quarantined},
                 {"provider_ms", static_cast<std::int64_t>(r.provider_time.count())},
                 {"database_ms", static_cast<std::int64_t>(r.database_time.count())},
                 {"our_trace_id", r.our_trace_id},
                 {"trigger", to_string(r.why)},
                 {"run_id", r.run_id}});
}

void logging_observer::listed(const product_run& r) {
  if (r.outcome == outcome::failed || r.outcome == outcome::suspicious) {
    tell_failed(events_,
                r.outcome == outcome::failed ? event::products_failed : event::products_vanished, r,
                to_string(r.what), "");
    return;
  }
  if (r.outcome == outcome::not_available) {
    events_.debug("products not fetched", {{"credential_id", r.credential.value},
                                           {"product", to_string(r.what)},
                                           {"outcome", to_string(r.outcome)},
                                           {"reason", r.error_message},
                                           {"our_trace_id", r.our_trace_id},
                                           {"run_id", r.run_id}});
    return;
  }
  const row_counts& c = r.counts;
  const bool news = c.inserted + c.updated + c.removed + c.quarantined > 0;
  events_.write(news ? good_ : config::log_level::debug, event::products_stored,
                {{"credential_id", r.credential.value},
                 {"product", to_string(r.what)},
                 {"outcome", to_string(r.outcome)},
                 {"fetched", c.fetched},
                 {"inserted", c.inserted},
                 {"updated", c.updated},
                 {"unchanged", c.unchanged},
                 {"removed", c.removed},
                 {"quarantined", c.quarantined},
                 {"our_trace_id", r.our_trace_id},
                 {"trigger", to_string(r.why)},
                 {"run_id", r.run_id}});
}

void logging_observer::unrecorded(credential_id id, const failure& f) {
  events_.error(event::unrecorded, {{"credential_id", id.value},
                                    {"error_class", f.error_class},
                                    {"who_must_act", who_must_act(f.error_class)},
                                    {"error", f.what()},
                                    {"hint", f.hint}});
}

void logging_observer::odd_status(credential_id id, const std::vector<std::string>& clauses) {
  events_.warn(event::odd_status, {{"credential_id", id.value},
                                   {"what", fmt::format("{}", fmt::join(clauses, "; "))}});
}

void logging_observer::stale(credential_id id, instant refreshed) {
  // The words of flanks.sync_status, whose times have no seconds.
  const std::string at = to_string(refreshed);
  events_.warn(event::provider_stale,
               {{"credential_id", id.value},
                {"error_class", "stale"},
                {"who_must_act", who_must_act("stale")},
                {"error", fmt::format("the provider has not refreshed it since {} {} UTC: what "
                                      "happened at the bank since then is missing",
                                      at.substr(0, 10), at.substr(11, 5))},
                {"hint", hint_of("stale")}});
}

void logging_observer::succession_open(credential_id id, const succession_pair& p) {
  events_.warn(event::succession_open, {{"credential_id", id.value},
                                        {"from_credential_id", p.from.value},
                                        {"product", p.what},
                                        {"error_class", "succession_open"},
                                        {"who_must_act", who_must_act("succession_open")},
                                        {"hint", hint_of("succession_open")}});
}

asio::awaitable<void> refresh_banks(worker_tools tools) {
  const std::optional<failure> failed = co_await mirror_entities(tools.mirror.api, tools.mirror.db);
  if (!failed) co_return;
  tools.events.warn(event::banks_unread, {{"error", failed->what()},
                                          {"hint", failed->hint},
                                          {"endpoint", failed->endpoint},
                                          http_status_field(failed->http_status),
                                          {"trace_id", failed->trace_id},
                                          {"our_trace_id", failed->our_trace_id}});
}

// What a credential's end says of the provider, and what that changes, goes into the log.
void learn(worker_tools tools, const claimed_credential& credential, credential_report& report) {
  if (tools.health == nullptr) return;
  const std::string& bank = report.bank.empty() ? credential.bank : report.bank;
  const auto now = tools.mirror.clock.steady();
  for (const provider_health::change& c : tools.health->note(bank, judge(report), now)) {
    const std::string who = c.bank.empty() ? "the provider" : "bank " + c.bank;
    if (c.opened) {
      tools.events.warn(log_message(event::backing_off, who),
                        {{"error", report.error},
                         {"error_class", report.error_class},
                         {"who_must_act", who_must_act(report.error_class)},
                         {"pause_seconds", static_cast<std::int64_t>(c.pause.count())}});
    } else {
      tools.events.info(log_message(event::answering_again, who));
    }
  }
  report.client_in_doubt = tools.health->refusals_in_doubt();
}

asio::awaitable<std::optional<credential_report>> work(worker_tools tools, assignment job) {
  const claimed_credential credential = job.credential;
  std::optional<credential_report> report;
  std::exception_ptr error;
  try {
    co_await tell_under_lease(tools, std::move(job), report);
  } catch (...) {
    error = std::current_exception();
  }
  const auto shield = shield_from_cancellation();
  co_await shield;
  std::optional<next_attempt> next;
  if (report && !report->lease_lost) {
    learn(tools, credential, *report);
    const double jitter = tools.mirror.clock.random();
    next = after(*report, credential, tools.mirror.policy, tools.mirror.clock.now(), jitter);
  }
  if (next && !report->waits_for.empty() && next->state != credential.state) {
    const std::string state(to_string(next->state));
    tools.events.warn(log_message(event::waiting, state),
                      {{"credential_id", credential.id.value},
                       {"error_class", report->waits_for_class},
                       {"hint", report->waits_for},
                       {"who_must_act", who_must_act(report->waits_for_class)}});
  }
  if (next && next->state == credential_state::gone && next->state != credential.state) {
    tools.events.warn(log_message(event::waiting, "gone"),
                      {{"credential_id", credential.id.value},
                       {"error_class", "gone"},
                       {"error", next->error},
                       {"hint", hint_of("gone")},
                       {"who_must_act", who_must_act("gone")}});
  }
  const bool recorded = co_await give_back(tools, credential.id, credential.lease, next);
  if (report && !recorded) ++report->failed;
  if (error && !is_cancellation(error)) std::rethrow_exception(error);
  co_return report;
}

}  // namespace flanks
