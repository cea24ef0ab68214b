#include "sync/mirror.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sync/product_story.hpp"
#include "sync/retry.hpp"
#include "sync/text.hpp"
#include "sync/window.hpp"
#include "sync/window_split.hpp"

namespace flanks {

namespace {

namespace chr = std::chrono;

// Hands the batches of one response to the ledger of its window.
class ledger_sink final : public batch_sink {
 public:
  ledger_sink(window_ledger& ledger, mirror_observer& observer, const engine_clock& clock)
      : ledger_(ledger), observer_(observer), clock_(clock) {}

  awaitable<void> take(transaction_batch batch) override {
    has_taken_ = true;
    const auto begin = clock_.steady();
    const std::int64_t elements = batch.elements();
    co_await ledger_.apply(std::move(batch));
    waited_ += clock_.steady() - begin;
    observer_.received(elements);
  }
  [[nodiscard]] bool has_taken() const { return has_taken_; }
  // How long the response had to wait for the database.
  [[nodiscard]] chr::steady_clock::duration waited() const { return waited_; }

 private:
  window_ledger& ledger_;
  mirror_observer& observer_;
  const engine_clock& clock_;
  bool has_taken_ = false;
  chr::steady_clock::duration waited_{0};
};

// What is planned as one window; for a backfill with the plan's item that it finishes.
struct planned_window {
  product what;
  window days;
  std::optional<std::int64_t> item;
  trigger why;
  comparing how;
};

// One request of it: all of it, or as much as the provider can serve at once.
struct sub_window {
  window days;
  bool last;
};

// How one attempt at a window ended badly.
struct attempt_failure {
  failure what;
  // The answer had begun, or the database failed: the client has not tried again, so we may. Before
  // that it has used up its own tries.
  bool ours_to_retry = false;
};

class credential_story {
 public:
  credential_story(mirror_tools tools, assignment job) : t_(tools), job_(std::move(job)) {
    report_.id = job_.credential.id;
    report_.why = job_.why;
  }

  awaitable<credential_report> tell() {
    std::optional<failure> unrecorded;
    try {
      co_await tell_all();
    } catch (const failure& f) {
      unrecorded = f;
    }
    if (unrecorded) {
      report_.add(*unrecorded);
      t_.observer.unrecorded(report_.id, *unrecorded);
    }
    co_return std::move(report_);
  }

 private:
  awaitable<void> tell_all() {
    const std::optional<credential_status> status = co_await ask_status();
    if (status) {
      status_ = *status;
      provider_update_ = status->last_update;
      report_.state = state_of(*status);
      report_.pending = status->pending;
      report_.waits_for = waiting_words(*status);
      report_.waits_for_class = waiting_class(*status);
      report_.answered = true;
      report_.bank = status->bank;
      report_.provider_update = status->last_update;
      if (!status->oddities.empty()) t_.observer.odd_status(report_.id, status->oddities);
      tell_when_stale(*status);
      std::vector<planned_window> planned = co_await plan(*status);
      // First: what the transactions belong to tells a closed account from rows that vanished.
      co_await mirror_products(t_, job_, *status, report_);
      for (const planned_window& p : planned) {
        if (must_stop()) break;
        co_await fetch(p);
      }
      if (report_.windows_stored > 0 && !must_stop()) co_await follow_successions();
    }
  }

  awaitable<void> follow_successions() {
    const std::vector<succession_pair> opened =
        co_await t_.db.follow_successions(job_.credential.id);
    for (const succession_pair& p : opened)
      t_.observer.succession_open(p.to, p);
  }

  // As flanks.sync_status has it of the credential's own stamp.
  void tell_when_stale(const credential_status& status) {
    const auto limit = t_.policy.stale_after;
    if (report_.state != credential_state::ok || !status.last_update) return;
    const std::vector<instant>& polls = job_.credential.polls;
    const bool before = !polls.empty() && polls.back() - *status.last_update > limit;
    if (!before && t_.clock.now() - *status.last_update > limit)
      t_.observer.stale(report_.id, *status.last_update);
  }

  [[nodiscard]] bool must_stop() const { return report_.must_stop(); }

  // Asks the provider how the credential is and writes that down; nothing when that failed.
  awaitable<std::optional<credential_status>> ask_status() {
    std::optional<credential_status> status;
    std::optional<failure> failed;
    run_record record = new_record();
    try {
      if (job_.credential.token_failure) throw failure(*job_.credential.token_failure);
      status = co_await t_.api.status(to_);
      availability_changed_ =
          co_await t_.db.record_status(job_.credential.id, job_.credential.lease, *status);
    } catch (const failure& f) {
      failed = f;
    }
    if (failed) {
      status.reset();
      co_await record_failure(std::move(record), *failed);
      co_await fail_items(*failed);
    }
    co_return status;
  }

  awaitable<std::vector<planned_window>> plan(const credential_status& status) {
    std::vector<planned_window> planned;
    if (job_.items) {
      for (const plan_item& item : *job_.items) {
        const fetch_decision decision = availability(status, item.what);
        if (decision.fetch) {
          const window days = open_if_current(item.days, day_of(t_.clock.now()));
          planned.push_back(
              planned_window{item.what, days, item.item_id, job_.why, comparing::values});
        } else {
          co_await skip(decision, item);
        }
      }
      co_return planned;
    }
    const instant now = t_.clock.now();
    std::vector<run_record> left_out;
    for (const product what : products()) {
      const product_coverage& covered = job_.credential.of(what);
      const sweep again = sweep_due(job_.credential, covered, now, t_.policy);
      const fetch_decision decision =
          decide_fetch(status, covered, what, t_.policy, day_of(now), again, job_.force);
      if (decision.fetch) {
        const bool sweeps =
            job_.why == trigger::schedule && covered.last_sweep && again != sweep::none;
        const comparing how = again == sweep::full ? comparing::values : comparing::fingerprints;
        planned.push_back(planned_window{what, decision.days, std::nullopt,
                                         sweeps ? trigger::sweep : job_.why, how});
      } else {
        run_record record = not_fetched(what, decision);
        t_.observer.ended(record);
        if (is_worth_a_row(record)) left_out.push_back(std::move(record));
      }
    }
    co_await t_.db.record_runs(std::move(left_out));
    co_return planned;
  }

  [[nodiscard]] const std::vector<product>& products() const {
    return job_.products.empty() ? t_.policy.products : job_.products;
  }

  [[nodiscard]] window all_history() const {
    return history(day_of(t_.clock.now()), t_.policy.history_months);
  }

  // What the answer for this part proves, and what the next fetch should know.
  [[nodiscard]] window_evidence evidence_of(const planned_window& p, const sub_window& now) const {
    const window all = all_history();
    window_evidence evidence;
    evidence.provable = provable_days(status_, p.what, now.days, all);
    evidence.last_part = now.last;
    evidence.limits = t_.policy.removals;
    // What came since the end of an older plan is within the next window's overlap.
    const bool whole = now.last && p.days.to >= all.to - std::max(t_.policy.overlap, chr::days{1});
    // Where all history comes every time, only a comparison with the table is the sweep (P14).
    evidence.all_history =
        whole && p.days.from <= all.from && (has_windows_ || p.how == comparing::values);
    evidence.recent_history =
        whole && p.days.from <= std::max(all.from, all.to - t_.policy.recent_sweep_days);
    const int known = job_.credential.of(p.what).window_days;
    if (const auto limit = split_.reduced_limit()) {
      evidence.window_days = limit;
    } else if (has_windows_ && known > 0 && now.last && p.days.days() >= known) {
      evidence.window_days = grown(known, all);
    }
    if (const auto begin = split_.history_begins()) {
      evidence.history_days = static_cast<int>((all.to - *begin).count()) + 1;
    } else if (evidence.all_history && job_.credential.of(p.what).history_days > 0) {
      evidence.history_days = 0;
    }
    return evidence;
  }

  // What a poll does not fetch is told by the schedule (when it was asked) and by the status (what
  // was said): it has a row when it failed, or when it is new.
  [[nodiscard]] bool is_worth_a_row(const run_record& record) const {
    if (record.outcome == outcome::not_available)
      return availability_changed_ || job_.why != trigger::schedule;
    return record.outcome != outcome::unchanged_upstream;
  }

  // A run record says why, so that "nothing new" and "not asked" never look alike (promise P8).
  run_record not_fetched(product what, const fetch_decision& decision) {
    run_record record = new_record();
    record.what = what;
    record.outcome = decision.why_not;
    record.error_class = decision.error_class;
    record.error_message = decision.explanation;
    record.provider_update = provider_update_;
    if (record.outcome == outcome::failed) note(decision.explanation, "", decision.error_class);
    if (record.outcome == outcome::failed) ++report_.failed;
    if (record.outcome == outcome::not_available) ++report_.not_available;
    return record;
  }

  awaitable<void> skip(const fetch_decision& decision, const plan_item& item) {
    run_record record = not_fetched(item.what, decision);
    record.days = item.days;
    t_.observer.ended(record);
    co_await t_.db.record_run(std::move(record));
    // Only an extraction that is still to come keeps a backfill open: a product that the bank does
    // not have never ends.
    if (!item.item_id) co_return;
    if (report_.pending || decision.why_not == outcome::failed) {
      co_await t_.db.fail_item(*item.item_id, decision.explanation);
    } else {
      co_await t_.db.skip_item(*item.item_id, decision.explanation);
    }
  }

  // One planned planned_window, in as many windows as the provider makes us split it into. The last
  // one finishes the item, and decides about the rows that none of them has shown.
  awaitable<void> fetch(planned_window whole) {
    absent_ = absent_rows{};
    const std::optional<failure> unknown = co_await ask_for_windows();
    if (unknown) {
      const sub_window all{whole.days, true};
      co_await give_up(whole, all, *unknown);
      co_return;
    }
    // All history comes anyway: then it is planned, compared month by month and proved as such. A
    // plan's item stays what somebody has asked for.
    if (!has_windows_ && !job_.items) whole.days = all_history();
    const int limit = has_windows_ ? job_.credential.of(whole.what).window_days : 0;
    split_ = window_split(whole.days, limit);
    while (!split_.done()) {
      const window days = split_.next();
      const sub_window next{days, split_.done()};
      const std::optional<failure> failed = co_await fetch_window(whole, next);
      if (!failed) {
        split_.served();
        continue;
      }
      // Without windows on the other side, a smaller one would be the same answer.
      if (has_windows_ && split_.split_after(*failed)) continue;
      co_await give_up(whole, next, *failed);
      co_return;
    }
    if (!split_.history_begins()) co_return;
    // That nothing older is served turned out after the oldest part was stored: it is read once
    // more, as the last one.
    const sub_window last{split_.last_served(), true};
    const std::optional<failure> failed = co_await fetch_window(whole, last);
    if (failed) co_await give_up(whole, last, *failed);
  }

  // Learns whether there are windows on the other side; why not, when that failed.
  awaitable<std::optional<failure>> ask_for_windows() {
    std::optional<failure> failed;
    try {
      awaitable<bool> asking = t_.api.takes_windows(to_);
      has_windows_ = co_await std::move(asking);
    } catch (const failure& f) {
      failed = f;
    }
    co_return failed;
  }

  // Tries one window until it is stored or the verdict says that trying again is of no use.
  awaitable<std::optional<failure>> fetch_window(planned_window p, sub_window now) {
    connection_use over = connection_use::any;
    for (int attempt = 1;;) {
      const std::optional<attempt_failure> failed = co_await attempt_window(p, now, over);
      if (!failed) co_return std::nullopt;
      const bool unconfirmed = is_unconfirmed(failed->what) && over == connection_use::any;
      over = connection_use::fresh;
      if (unconfirmed) continue;
      const bool again = failed->ours_to_retry && failed->what.verdict == verdict::retry;
      if (!again || attempt >= t_.policy.tries) co_return failed->what;
      const chr::milliseconds pause = full_jitter(retry_policy{}, attempt++, t_.clock.random());
      co_await t_.clock.sleep(pause);
    }
  }

  // One request and one database transaction. Nothing of it is left when it fails.
  awaitable<std::optional<attempt_failure>> attempt_window(planned_window p, sub_window now,
                                                           connection_use over) {
    run_record record = new_record();
    record.what = p.what;
    record.why = p.why;
    record.days = now.days;
    record.provider_update = provider_update_;
    ++requests_;
    record.requests = requests_;
    std::unique_ptr<window_ledger> ledger;
    std::optional<ledger_sink> sink;
    std::optional<attempt_failure> failed;
    const auto begin = t_.clock.steady();
    try {
      const std::optional<std::int64_t> item = now.last ? p.item : std::nullopt;
      ledger = co_await t_.db.open_window(job_.credential.id, job_.credential.lease, p.what,
                                          now.days, item, p.how);
      window_evidence evidence = evidence_of(p, now);
      sink.emplace(*ledger, t_.observer, t_.clock);
      batch_sink& taking = *sink;
      const response_summary summary =
          co_await t_.api.transactions(to_, p.what, now.days, over, taking);
      // Nothing stored could contradict it.
      const bool first_time = !job_.credential.of(p.what).last_success;
      if (first_time && summary.elements == 0 && summary.repeats)
        throw unconfirmed_answer(job_.credential.id,
                                 fmt::format("{} transactions", to_string(p.what)));
      record.response_bytes = summary.bytes;
      const auto fetched = t_.clock.steady() - begin - sink->waited();
      record.provider_time = chr::duration_cast<chr::milliseconds>(fetched);
      evidence.rested_connection = summary.rested_connection;
      run_record finished = co_await ledger->commit(record, evidence, absent_);
      record = std::move(finished);
    } catch (const failure& f) {
      const bool database =
          f.stage == stage::database || f.stage == stage::write || f.stage == stage::commit;
      failed = attempt_failure{f, database || (sink && sink->has_taken())};
    }
    if (failed) {
      if (ledger) co_await ledger->abandon();
      co_return failed;
    }
    requests_ = 0;
    stored(record);
    co_return std::nullopt;
  }

  void stored(const run_record& record) {
    report_.counts += record.counts;
    ++report_.windows_stored;
    if (record.outcome == outcome::suspicious && report_.suspicious++ == 0)
      report_.suspicion = record.error_message;
    if (record.outcome == outcome::partial && report_.refusal.empty())
      report_.refusal = record.error_message, report_.refusal_hint = record.error_hint;
    t_.observer.ended(record);
  }

  awaitable<void> give_up(const planned_window& p, const sub_window& now, const failure& failed) {
    run_record record = new_record();
    record.what = p.what;
    record.why = p.why;
    record.days = now.days;
    record.requests = requests_;
    requests_ = 0;
    if (p.item) {
      const std::string why = failed.what();
      co_await t_.db.fail_item(*p.item, why);
    }
    co_await record_failure(std::move(record), failed);
  }

  // Every item of the credential stays open, with the reason.
  awaitable<void> fail_items(const failure& failed) {
    if (!job_.items) co_return;
    for (const plan_item& item : *job_.items) {
      const std::string why = failed.what();
      if (item.item_id) co_await t_.db.fail_item(*item.item_id, why);
    }
  }

  awaitable<void> record_failure(run_record record, const failure& f) {
    report_.add(f);
    record.outcome = outcome::failed;
    record.error_class = f.error_class;
    record.error_stage = to_string(f.stage);
    record.error_message = f.what();
    record.error_hint = f.hint;
    record.provider_code = f.provider_code;
    record.trace_id = f.trace_id;
    record.http_status = f.http_status;
    record.endpoint = f.endpoint;
    if (!f.our_trace_id.empty()) record.our_trace_id = f.our_trace_id;
    t_.observer.ended(record);
    co_await t_.db.record_run(std::move(record));
  }

  void note(const std::string& error, const std::string& hint, const std::string& error_class) {
    if (!report_.error.empty()) return;
    report_.error_class = error_class;
    report_.error = error;
    report_.hint = hint;
  }

  [[nodiscard]] run_record new_record() const {
    run_record record;
    record.run_id = job_.run_id;
    record.why = job_.why;
    record.credential = job_.credential.id;
    record.our_trace_id = job_.trace.value;
    record.started_at = t_.clock.now();
    return record;
  }

  mirror_tools t_;
  assignment job_;
  access to_{job_.credential.credentials_token, job_.trace};
  credential_report report_;
  credential_status status_;  // asked before anything is fetched
  std::optional<instant> provider_update_;
  bool availability_changed_ = false;  // the status says something else of what can be fetched
  bool has_windows_ = true;            // the provider takes a part of history
  window_split split_;                 // of the planned_window in hand
  absent_rows absent_;                 // what its parts so far have not shown
  int requests_ = 0;                   // for the window in hand, failed attempts included
};

}  // namespace

awaitable<credential_report> mirror(mirror_tools tools, assignment job) {
  // What the caller's policy becomes meanwhile (SIGHUP) applies to the next credential: the lists
  // that this one is walking along stay.
  const sync_policy policy = tools.policy;
  const mirror_tools own{tools.api, tools.db, tools.clock, tools.observer, policy};
  credential_story story(own, std::move(job));
  co_return co_await story.tell();
}

}  // namespace flanks
