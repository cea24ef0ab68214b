// run: the daemon. What it adds to the scheduler: the service manager, reload, and the end.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <system_error>

#include "daemon/admin.hpp"
#include "daemon/clock_watch.hpp"
#include "daemon/commands/commands.hpp"
#include "daemon/discovery.hpp"
#include "daemon/notify.hpp"
#include "daemon/pruning.hpp"
#include "daemon/reloader.hpp"
#include "daemon/scheduler.hpp"
#include "db/commands/page_source.hpp"
#include "db/commands/read_gauges.hpp"
#include "db/commands/stored_settings.hpp"
#include "db/credential_book.hpp"
#include "db/token_seal.hpp"
#include "db/tokens.hpp"
#include "sync/error_class.hpp"
#include "sync/flanks/arrivals.hpp"

namespace flanks {

namespace {

namespace asio = boost::asio;
namespace chr = std::chrono;

std::string process_name() {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  return fmt::format("{}:{}", host.data(), ::getpid());
}

// Counts what it logs.
class counting_observer final : public logging_observer {
 public:
  counting_observer(log& events, metrics& counted)
      : logging_observer(events, config::log_level::info), counted_(counted) {}
  void ended(const run_record& record) override {
    counted_.count(record);
    logging_observer::ended(record);
  }
  void unrecorded(credential_id id, const failure& f) override {
    counted_.count_unrecorded();
    logging_observer::unrecorded(id, f);
  }
  void listed(const product_run& run) override {
    counted_.count(run);
    logging_observer::listed(run);
  }

 private:
  metrics& counted_;
};

class daemon_story {
 public:
  daemon_story(const invocation& asked, engine& e)
      : asked_(asked),
        engine_(e),
        observer_(*e.events, e.counted),
        options_(options_of(e.settings.values())),
        discover_interval_(e.settings.values().sync.discover_interval),
        limits_(e.settings.values().limits),
        keep_(e.settings.values().retention),
        source_(make_credential_source(*e.api)),
        book_(make_credential_book(e.executor, named(e.database, "discovery"))),
        scheduler_(tools(), options_),
        clocks_(*e.db, e.counted, *e.events),
        gauges_(make_gauge_source(e.executor, named(e.database, "admin"))),
        pages_(make_page_source(e.executor, named(e.database, "page"))),
        reloader_(asked, e, [this] { after_reload(); }) {
    if (!asked.once && listen() != "none") open_admin();
  }

  asio::awaitable<void> tell() {
    task_group watching(engine_.executor);
    watching.spawn(feed_service_manager());
    if (!asked_.once) watching.spawn(discovering());
    if (!asked_.once) watching.spawn(pruning_daily());
    if (!asked_.once) watching.spawn(reloader_.tell_database());
    if (!asked_.once) watching.spawn(comparing_clocks());
    if (!asked_.once) watching.spawn(reloader_.seal_hourly());
    if (admin_) watching.spawn(admin_->serve());
    if (admin_) watching.spawn(measure_loop());
    std::exception_ptr error;
    try {
      notify::ready();
      co_await scheduler_.run();
    } catch (...) {
      error = std::current_exception();
    }
    reloader_.stop();
    watching.cancel();
    co_await watching.join();
    co_await take_back_problems();
    if (error) std::rethrow_exception(error);
  }

  void stop() {
    notify::stopping();
    stopping_ = true;
    reloader_.stop();
    scheduler_.stop();
  }

  void reload() { reloader_.reload(); }

  [[nodiscard]] const scheduler_totals& totals() const { return scheduler_.totals(); }

 private:
  [[nodiscard]] scheduler_options options_of(const config::settings& s) const {
    return {
        .concurrency = s.sync.concurrency,
        .poll = s.sync.poll,
        .once = asked_.once,
    };
  }

  [[nodiscard]] worker_tools tools() {
    const mirror_tools mirror{*engine_.api, *engine_.db, *engine_.clock, observer_, engine_.policy};
    return worker_tools{engine_.executor, mirror, *engine_.events,
                        engine_.settings.values().sync.lease};
  }

  [[nodiscard]] const std::string& listen() const { return engine_.settings.values().admin.listen; }

  // An address that nobody chose may be taken by another daemon of this machine: that is no reason
  // not to work. One that was chosen is expected to answer.
  void open_admin() {
    const admin_sources sources{engine_.counted,
                                engine_.rates.totals(),
                                *gauges_,
                                [this] { return trouble(); },
                                [this] { return view(); },
                                *pages_,
                                [this] { scheduler_.database_answers(); },
                                [this] { return facts(); },
                                engine_.settings.secrets.admin_password};
    try {
      admin_ = std::make_unique<admin>(engine_.executor, engine_.settings.values().admin, sources,
                                       *engine_.events);
      engine_.events->info(event::serving, {{"listen", admin_->where()}});
    } catch (const std::system_error& e) {
      const std::string why = fmt::format("{} (admin.listen): {}", listen(), e.code().message());
      if (engine_.settings.file.places.contains("admin.listen"))
        throw refusal(exit_code::configuration, "cannot listen at " + why,
                      "name an address of this machine that is free and that the daemon may use "
                      "in admin.listen, or none");
      engine_.events->warn(log_message(event::not_listening, why),
                           {{"hint",
                             "another flanks-sync may listen there: give this one another "
                             "admin.listen, or none"}});
    }
  }

  [[nodiscard]] web::daemon_facts facts() const {
    web::daemon_facts f;
    f.version = FLANKS_SYNC_VERSION;
    f.process = process_name();
    f.configuration = config::show(reloader_.in_effect());
    f.now = engine_.clock->now();
    f.started = started_;
    f.requests = &engine_.rates.requests();
    const auto& until = engine_.rates.totals().paused_until;
    f.problems = problems();
    if (until) f.paused_until = chr::ceil<chr::seconds>(*until);
    return f;
  }

  // What keeps the whole mirror from its work, as flanks.mirror_problems has it.
  [[nodiscard]] std::vector<std::pair<mirror_problem, finding>> problems() const {
    std::vector<std::pair<mirror_problem, finding>> found;
    const auto add = [&](mirror_problem which, const std::optional<failure>& f) {
      if (f) found.emplace_back(which, failed(check_of(*f), *f));
    };
    add(mirror_problem::fetching, scheduler_.totals().stopped_by);
    add(mirror_problem::claiming, scheduler_.claim_trouble());
    add(mirror_problem::reloading, reloader_.trouble());
    add(mirror_problem::clock, clocks_.trouble());
    return found;
  }

  // Why /-/ready says no, apart from what it asks of the database itself.
  [[nodiscard]] std::vector<finding> trouble() const {
    if (stopping_) return {{"daemon", grade::fail, "the daemon is stopping", "", ""}};
    std::vector<finding> found;
    const std::optional<failure>& stopped_by = scheduler_.totals().stopped_by;
    if (stopped_by)
      found.push_back(unnamed(*stopped_by, "nothing can be fetched until an operator acts"));
    if (std::optional<finding> own = scheduler_.trouble()) found.push_back(std::move(*own));
    return found;
  }

  void after_reload() {
    const config::settings& s = reloader_.in_effect();
    options_ = options_of(s);
    discover_interval_ = s.sync.discover_interval;
    limits_ = s.limits;
    keep_ = s.retention;
    if (!reloader_.trouble()) scheduler_.look_again();
    tell_status();
  }

  // Who is stopped meets nothing any more. What ends by itself leaves it: who asks for the status
  // of a `run --once` finds there why it failed.
  asio::awaitable<void> take_back_problems() {
    const std::optional<failure>& met = scheduler_.claim_trouble();
    if (!stopping_ || asked_.once || (met && met->stage == stage::database)) co_return;
    try {
      co_await engine_.db->forget_problems();
    } catch (const failure& f) {
      engine_.events->debug("cannot take back what the database was told", {{"error", f.what()}});
    }
  }

  asio::awaitable<void> comparing_clocks() {
    for (;;) {
      co_await clocks_.look();
      co_await engine_.clock->sleep(options_.poll);
    }
  }

  asio::awaitable<void> discovering() {
    return discover_on_schedule(*source_, *book_, *engine_.clock, *engine_.events,
                                discover_interval_, limits_);
  }

  asio::awaitable<void> pruning_daily() {
    return prune_on_schedule(engine_.executor, engine_.database, *engine_.clock, *engine_.events,
                             keep_);
  }

  [[nodiscard]] daemon_view view() const {
    daemon_view now;
    now.workers = options_.concurrency;
    now.in_hand = static_cast<int>(scheduler_.in_hand());
    const auto since = chr::steady_clock::now() - scheduler_.last_progress();
    now.last_look = chr::system_clock::now() - since;
    now.provider_ahead = clocks_.provider_ahead();
    now.database_ahead = clocks_.database_ahead();
    now.reload_failed = reloader_.trouble().has_value();
    now.configured_at = reloader_.configured_at();
    return now;
  }

  // How late the loop serves a timer: a callback that takes long makes everything else wait.
  asio::awaitable<void> measure_loop() {
    constexpr chr::milliseconds period{1000};
    for (;;) {
      const auto begun = engine_.clock->steady();
      co_await engine_.clock->sleep(period);
      engine_.counted.lagged(engine_.clock->steady() - begun - period);
    }
  }

  // The Status line of systemctl status.
  void tell_status() const {
    notify::status(
        scheduler_.summary() +
        (reloader_.trouble() ? "; its configuration could not be reloaded: the log says why" : ""));
  }

  // The watchdog is fed from the event loop, and only while the scheduler makes progress: a loop
  // that hangs, and a scheduler that waits for a database that never answers, both end in a
  // restart.
  asio::awaitable<void> feed_service_manager() {
    const auto period = notify::watchdog_interval();
    // A watchdog of a minute is fed twice a minute at least; a Status that old would be wrong.
    const chr::milliseconds longest{5000};
    const auto turn =
        period ? std::min(longest, chr::duration_cast<chr::milliseconds>(*period)) : longest;
    for (;;) {
      tell_status();
      const auto quiet = chr::steady_clock::now() - scheduler_.last_progress();
      const auto limit = 2 * options_.poll + engine_.settings.values().database.statement_timeout;
      if (period && quiet < limit) notify::watchdog();
      co_await engine_.clock->sleep(turn);
    }
  }

  const invocation& asked_;
  engine& engine_;
  counting_observer observer_;
  scheduler_options options_;
  chr::seconds discover_interval_;
  sync_limits limits_;
  retention_ages keep_;
  std::unique_ptr<credential_source> source_;
  std::unique_ptr<credential_book> book_;
  scheduler scheduler_;
  clock_watch clocks_;
  bool stopping_ = false;
  std::unique_ptr<gauge_source> gauges_;
  std::unique_ptr<page_source> pages_;
  instant started_ = engine_.clock->now();
  std::unique_ptr<admin> admin_;
  reloader reloader_;  // the last: its thread ends first of all
};

}  // namespace

exit_code command_run(const invocation& asked) {
  engine e(asked, configure(asked, config::secret_scope::all));
  require_database(e, asked.migrate);
  write_settings(e.database, stored(e.settings.values()));
  // A daemon does that beside its work; here nobody would be left to end it.
  if (asked.once) tell_sealed(*e.events, tokens::seal_all(e.database, std::atomic<bool>{false}));
  daemon_story story(asked, e);
  e.events->info(log_message(event::started, FLANKS_SYNC_VERSION),
                 {{"base_url", e.settings.values().flanks.base_url}});
  e.run(
      story.tell(), [&] { story.stop(); }, [&] { story.reload(); });
  const scheduler_totals& totals = story.totals();
  e.events->info(event::ended, {{"credentials", totals.credentials},
                                {"failed", totals.failed},
                                {"inserted", totals.counts.inserted},
                                {"updated", totals.counts.updated}});
  if (!asked.once) return exit_code::done;
  if (totals.stopped_by) throw failure(*totals.stopped_by);
  if (totals.interrupted > 0 && e.caught() != 0) return e.interrupted_code();
  if (totals.unreachable) throw failure(*totals.unreachable);
  return totals.failed + totals.partial > 0 ? exit_code::some_failed : exit_code::done;
}

}  // namespace flanks
