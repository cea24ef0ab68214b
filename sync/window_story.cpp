#include "sync/window_story.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sync/retry.hpp"
#include "sync/window.hpp"

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

}  // namespace

run_record new_record(const assignment& job, const engine_clock& clock) {
  run_record record;
  record.run_id = job.run_id;
  record.why = job.why;
  record.credential = job.credential.id;
  record.our_trace_id = job.trace.value;
  record.started_at = clock.now();
  return record;
}

awaitable<void> record_failure(mirror_tools tools, credential_report& report, run_record record,
                               const failure& f) {
  report.add(f);
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
  tools.observer.ended(record);
  co_await tools.db.record_run(std::move(record));
}

window_story::window_story(mirror_tools tools, const assignment& job,
                           const credential_status& status, credential_report& report)
    : t_(tools), job_(job), status_(status), report_(report) {}

run_record window_story::record_of(const planned_window& p, const sub_window& now) const {
  run_record record = new_record(job_, t_.clock);
  record.what = p.what;
  record.why = p.why;
  record.days = now.days;
  return record;
}

window window_story::all_history() const {
  return history(day_of(t_.clock.now()), t_.policy.history_months);
}

// What the answer for this part proves, and what the next fetch should know.
window_evidence window_story::evidence_of(const planned_window& p, const sub_window& now) const {
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

// The last window finishes the item, and decides about the rows that none of them has shown.
awaitable<void> window_story::fetch(planned_window whole) {
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
awaitable<std::optional<failure>> window_story::ask_for_windows() {
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
awaitable<std::optional<failure>> window_story::fetch_window(planned_window p, sub_window now) {
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
awaitable<std::optional<attempt_failure>> window_story::attempt_window(planned_window p,
                                                                       sub_window now,
                                                                       connection_use over) {
  run_record record = record_of(p, now);
  record.provider_update = status_.last_update;
  ++requests_;
  record.requests = requests_;
  std::unique_ptr<window_ledger> ledger;
  std::optional<ledger_sink> sink;
  std::optional<attempt_failure> failed;
  const auto begin = t_.clock.steady();
  try {
    const std::optional<std::int64_t> item = now.last ? p.item : std::nullopt;
    ledger = co_await t_.db.open_window(job_.credential.id, job_.credential.lease, p.what, now.days,
                                        item, p.how);
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

void window_story::stored(const run_record& record) {
  report_.counts += record.counts;
  ++report_.windows_stored;
  if (record.outcome == outcome::suspicious && report_.suspicious++ == 0)
    report_.suspicion = record.error_message;
  if (record.outcome == outcome::partial && report_.refusal.empty())
    report_.refusal = record.error_message, report_.refusal_hint = record.error_hint;
  t_.observer.ended(record);
}

awaitable<void> window_story::give_up(const planned_window& p, const sub_window& now,
                                      const failure& failed) {
  run_record record = record_of(p, now);
  record.requests = requests_;
  requests_ = 0;
  if (p.item) {
    const std::string why = failed.what();
    co_await t_.db.fail_item(*p.item, why);
  }
  co_await record_failure(t_, report_, std::move(record), failed);
}

}  // namespace flanks
