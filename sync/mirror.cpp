#include "sync/mirror.hpp"

#include "sync/fetch_plan.hpp"
#include "sync/product_story.hpp"
#include "sync/window_story.hpp"

namespace flanks {

namespace {

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
      report_.state = state_of(*status);
      report_.pending = status->pending;
      report_.waits_for = waiting_words(*status);
      report_.waits_for_class = waiting_class(*status);
      report_.answered = true;
      report_.bank = status->bank;
      report_.provider_update = status->last_update;
      if (!status->oddities.empty()) t_.observer.odd_status(report_.id, status->oddities);
      tell_when_stale(*status);
      const fetch_plan plan = plan_fetches(job_, *status, t_.policy, t_.clock.now());
      co_await leave_out(plan.rest);
      // First: what the transactions belong to tells a closed account from rows that vanished.
      co_await mirror_products(t_, job_, *status, report_);
      window_story windows(t_, job_, *status, report_);
      for (const planned_window& p : plan.windows) {
        if (report_.must_stop()) break;
        co_await windows.fetch(p);
      }
      if (report_.windows_stored > 0 && !report_.must_stop()) co_await follow_successions();
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

  // Asks the provider how the credential is and writes that down; nothing when that failed.
  awaitable<std::optional<credential_status>> ask_status() {
    std::optional<credential_status> status;
    std::optional<failure> failed;
    run_record record = new_record(job_, t_.clock);
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
      co_await record_failure(t_, report_, std::move(record), *failed);
      co_await fail_items(*failed);
    }
    co_return status;
  }

  awaitable<void> leave_out(std::vector<left_out> all) {
    std::vector<run_record> worth_a_row;
    for (const left_out& l : all) {
      run_record record = not_fetched(l);
      t_.observer.ended(record);
      if (l.item || is_worth_a_row(record)) worth_a_row.push_back(std::move(record));
    }
    co_await t_.db.record_runs(std::move(worth_a_row));
    for (const left_out& l : all) {
      if (!l.item || !l.item->item_id) continue;
      const std::int64_t item = *l.item->item_id;
      co_await leave_item(item, l.why);
    }
  }

  // What a poll does not fetch is told by the schedule (when it was asked) and by the status (what
  // was said): it has a row when it failed, or when it is new.
  [[nodiscard]] bool is_worth_a_row(const run_record& record) const {
    if (record.outcome == outcome::not_available)
      return availability_changed_ || job_.why != trigger::schedule;
    return record.outcome != outcome::unchanged_upstream;
  }

  // A run record says why, so that "nothing new" and "not asked" never look alike (promise P8).
  run_record not_fetched(const left_out& l) {
    run_record record = new_record(job_, t_.clock);
    record.what = l.what;
    if (l.item) record.days = l.item->days;
    record.outcome = l.why.why_not;
    record.error_class = l.why.error_class;
    record.error_message = l.why.explanation;
    record.provider_update = report_.provider_update;
    if (record.outcome == outcome::failed) note(l.why.explanation, "", l.why.error_class);
    if (record.outcome == outcome::failed) ++report_.failed;
    if (record.outcome == outcome::not_available) ++report_.not_available;
    return record;
  }

  // Only an extraction that is still to come keeps a backfill open: a product that the bank does
  // not have never ends.
  awaitable<void> leave_item(std::int64_t item, const fetch_decision& decision) {
    if (report_.pending || decision.why_not == outcome::failed) {
      co_await t_.db.fail_item(item, decision.explanation);
    } else {
      co_await t_.db.skip_item(item, decision.explanation);
    }
  }

  // Every item of the credential stays open, with the reason.
  awaitable<void> fail_items(const failure& failed) {
    if (!job_.items) co_return;
    for (const plan_item& item : *job_.items) {
      const std::string why = failed.what();
      if (item.item_id) co_await t_.db.fail_item(*item.item_id, why);
    }
  }

  void note(const std::string& error, const std::string& hint, const std::string& error_class) {
    if (!report_.error.empty()) return;
    report_.error_class = error_class;
    report_.error = error;
    report_.hint = hint;
  }

  mirror_tools t_;
  assignment job_;
  access to_{job_.credential.credentials_token, job_.trace};
  credential_report report_;
  bool availability_changed_ = false;  // the status says something else of what can be fetched
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
