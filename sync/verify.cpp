#include "sync/verify.hpp"

#include <fmt/format.h>

#include "sync/retry.hpp"
#include "sync/schedule.hpp"
#include "sync/window_split.hpp"

namespace flanks {

std::string_view to_string(difference_kind k) {
  switch (k) {
    case difference_kind::missing:
      return "missing";
    case difference_kind::extra:
      return "extra";
    case difference_kind::altered:
      return "altered";
  }
  return {};
}

std::string_view to_string(proof_outcome o) {
  switch (o) {
    case proof_outcome::equal:
      return "equal";
    case proof_outcome::different:
      return "different";
    case proof_outcome::repaired:
      return "repaired";
    case proof_outcome::not_verifiable:
      return "not_verifiable";
    case proof_outcome::failed:
      return "failed";
  }
  return {};
}

namespace {

namespace chr = std::chrono;

class comparison_sink final : public batch_sink {
 public:
  explicit comparison_sink(comparison_ledger& ledger) : ledger_(ledger) {}
  awaitable<void> take(transaction_batch batch) override {
    has_taken_ = true;
    co_await ledger_.apply(std::move(batch));
  }
  [[nodiscard]] bool has_taken() const { return has_taken_; }

 private:
  comparison_ledger& ledger_;
  bool has_taken_ = false;
};

class proof_story {
 public:
  proof_story(proof_tools tools, proof_request request) : t_(tools), asked_(std::move(request)) {}

  awaitable<proof_report> tell() {
    const std::optional<credential_status> status = co_await ask_status();
    if (!status) co_return std::move(report_);
    for (const product what : asked_.products) {
      if (report_.stopped_by) break;
      co_await prove(*status, what);
    }
    if (t_.repair != nullptr && !report_.stopped_by) co_await repair();
    co_return std::move(report_);
  }

 private:
  // How one window compares; or why that is not known.
  struct attempt {
    std::optional<comparison> found;
    std::optional<failure> failed;
    // The answer had begun, or the database failed: the client has not tried again, so we may.
    bool ours_to_retry = false;
  };

  awaitable<std::optional<credential_status>> ask_status() {
    std::optional<credential_status> status;
    std::optional<failure> failed;
    try {
      if (asked_.credential.token_failure) throw failure(*asked_.credential.token_failure);
      status = co_await t_.api.status(to_);
    } catch (const failure& f) {
      failed = f;
    }
    if (failed) {
      for (const product what : asked_.products)
        co_await give_up(what, std::nullopt, *failed);
    }
    co_return status;
  }

  awaitable<void> prove(const credential_status& status, product what) {
    const fetch_decision available = availability(status, what);
    std::vector<window> ranges;
    std::string why = available.explanation;
    if (available.fetch) {
      if (asked_.days) {
        ranges = {*asked_.days};
      } else {
        std::vector<window> covered = co_await t_.db.covered(asked_.credential.id, what);
        ranges = std::move(covered);
      }
      why = "nothing of it has been fetched yet";
    }
    if (ranges.empty()) {
      co_await not_verifiable(what, std::nullopt, why, status);
      co_return;
    }
    for (const window& days : ranges) {
      window_split split(days);
      while (!split.done()) {
        const bool go_on = co_await prove_window(status, what, split);
        if (!go_on) co_return;
      }
      if (const auto begin = split.history_begins()) {
        const window older{days.from, *begin - chr::days{1}};
        co_await not_verifiable(
            what, older, fmt::format("the bank serves no operations before {}", to_string(*begin)),
            status);
      }
    }
  }

  awaitable<void> not_verifiable(product what, std::optional<window> days, std::string why,
                                 const credential_status& status) {
    proof_record record = new_record(what, days, status.last_update);
    record.outcome = proof_outcome::not_verifiable;
    record.detail = std::move(why);
    co_await keep(std::move(record));
  }

  // True when the next window may be tried. A window that is too large is put back in halves.
  awaitable<bool> prove_window(const credential_status& status, product what, window_split& split) {
    const window days = split.next();
    proof_record record = new_record(what, days, status.last_update);
    attempt a = co_await try_window(what, days);
    if (a.failed) {
      if (split.split_after(*a.failed)) co_return true;
      co_await give_up(what, days, *a.failed);
      co_return false;
    }
    split.served();
    record.found = std::move(*a.found);
    record.outcome =
        record.found.differences() == 0 ? proof_outcome::equal : proof_outcome::different;
    const std::optional<instant> seen = asked_.credential.of(what).provider_seen;
    if (record.outcome == proof_outcome::different && status.last_update &&
        (!seen || *seen < *status.last_update)) {
      record.detail =
          "the provider has refreshed its data since the last synchronisation: run sync for this "
          "credential, then verify again";
    }
    co_await keep(std::move(record));
    co_return true;
  }

  // All windows that differ in one go; each is compared again afterwards.
  awaitable<void> repair() {
    assignment job;
    std::vector<std::size_t> differing;
    for (std::size_t i = 0; i < report_.records.size(); ++i) {
      const proof_record& r = report_.records[i];
      if (r.outcome != proof_outcome::different) continue;
      differing.push_back(i);
      if (!job.items) job.items.emplace();
      job.items->push_back(plan_item{std::nullopt, r.what, *r.days});
    }
    if (differing.empty()) co_return;
    job.credential = asked_.credential;
    job.run_id = asked_.run_id;
    job.why = trigger::repair;
    auto mirroring = mirror(*t_.repair, std::move(job));
    const credential_report repaired = co_await std::move(mirroring);
    if (repaired.stopped_by) report_.stopped_by = repaired.stopped_by;
    for (const std::size_t i : differing) {
      if (report_.stopped_by) co_return;
      co_await compare_again(i, repaired);
    }
  }

  awaitable<void> compare_again(std::size_t i, const credential_report& repaired) {
    proof_record record = report_.records[i];
    record.started_at = t_.clock.now();
    attempt a = co_await try_window(record.what, *record.days);
    if (a.failed) {
      record.detail =
          fmt::format("whether the repair succeeded is not known: {}", a.failed->what());
      if (a.failed->verdict == verdict::stop) report_.stopped_by = a.failed;
    } else if (a.found->differences() == 0) {
      record.outcome = proof_outcome::repaired;
      record.detail.clear();
    } else {
      record.found = std::move(*a.found);
      record.detail = what_is_left(repaired);
    }
    report_.records[i] = record;
    co_await t_.db.record(std::move(record));
  }

  static std::string what_is_left(const credential_report& repaired) {
    if (!repaired.error.empty()) return "the repair failed: " + repaired.error;
    if (!repaired.suspicion.empty())
      return fmt::format("{}; look at it with flanks-sync removals list, then confirm or reject",
                         repaired.suspicion);
    return "the repair left these differences";
  }

  awaitable<attempt> try_window(product what, window days) {
    for (int tries = 1;; ++tries) {
      attempt a = co_await try_once(what, days);
      const bool again = a.failed && a.ours_to_retry && a.failed->verdict == verdict::retry;
      if (!again || tries >= asked_.tries) co_return a;
      const chr::milliseconds pause = full_jitter(retry_policy{}, tries, t_.clock.random());
      co_await t_.clock.sleep(pause);
    }
  }

  awaitable<attempt> try_once(product what, window days) {
    attempt a;
    const claimed_credential& c = asked_.credential;
    std::optional<comparison_sink> sink;
    try {
      const std::unique_ptr<comparison_ledger> ledger =
          co_await t_.db.open(c.id, c.lease, what, days);
      sink.emplace(*ledger);
      batch_sink& taking = *sink;
      const response_summary summary =
          co_await t_.api.transactions(to_, what, days, connection_use::fresh, taking);
      (void)summary;
      a.found = co_await ledger->compare(asked_.limit);
    } catch (const failure& f) {
      a.failed = f;
      a.ours_to_retry = f.stage == stage::database || (sink && sink->has_taken());
    }
    co_return a;
  }

  awaitable<void> give_up(product what, std::optional<window> days, failure failed) {
    if (failed.verdict == verdict::stop) report_.stopped_by = failed;
    if (is_unreachable(failed)) report_.unreachable = failed;
    proof_record record = new_record(what, days, std::nullopt);
    record.outcome = proof_outcome::failed;
    record.detail = failed.what();
    co_await keep(std::move(record));
  }

  [[nodiscard]] proof_record new_record(product what, std::optional<window> days,
                                        std::optional<instant> update) const {
    proof_record record;
    record.run_id = asked_.run_id;
    record.credential = asked_.credential.id;
    record.what = what;
    record.days = days;
    record.provider_update = update;
    record.started_at = t_.clock.now();
    return record;
  }

  awaitable<void> keep(proof_record record) {
    report_.records.push_back(record);
    co_await t_.db.record(std::move(record));
  }

  proof_tools t_;
  proof_request asked_;
  access to_{asked_.credential.credentials_token, asked_.trace};
  proof_report report_;
};

}  // namespace

awaitable<proof_report> verify(proof_tools tools, proof_request request) {
  proof_story story(tools, std::move(request));
  co_return co_await story.tell();
}

}  // namespace flanks
