#include "sync/product_story.hpp"

#include <algorithm>

namespace flanks {

namespace {

class products_story {
 public:
  products_story(mirror_tools tools, const assignment& job, const credential_status& status,
                 credential_report& report)
      : t_(tools), job_(job), status_(status), report_(report) {}

  awaitable<void> tell() {
    for (const product_kind kind : t_.policy.product_kinds) {
      if (report_.must_stop()) break;
      if (!asked_for(kind)) continue;
      const std::optional<instant> seen =
          job_.credential.products_seen[static_cast<std::size_t>(kind)];
      const fetch_decision decision = decide_fetch(status_, kind, seen, everything());
      if (decision.fetch) {
        co_await fetch(kind);
      } else {
        co_await skip(kind, decision);
      }
    }
  }

 private:
  // A command that names products means those.
  [[nodiscard]] bool asked_for(product_kind kind) const {
    return job_.products.empty() ||
           std::any_of(job_.products.begin(), job_.products.end(),
                       [&](product p) { return to_string(p) == to_string(kind); });
  }

  [[nodiscard]] bool everything() const {
    const instant now = t_.clock.now();
    return job_.force || job_.items.has_value() ||
           std::any_of(t_.policy.products.begin(), t_.policy.products.end(), [&](product p) {
             return sweep_due(job_.credential, job_.credential.of(p), now, t_.policy) ==
                    sweep::full;
           });
  }

  awaitable<void> fetch(product_kind kind) {
    product_run run = new_run(kind);
    std::optional<failure> failed = co_await attempt(run, connection_use::any);
    if (failed && is_unconfirmed(*failed)) failed = co_await attempt(run, connection_use::fresh);
    if (failed) {
      describe(run, *failed);
      judge(run, *failed);
      co_await t_.db.record_product_run(run);
    } else {
      report_.quarantined_products += run.counts.quarantined;
      if (run.outcome == outcome::suspicious && report_.suspicious++ == 0)
        report_.suspicion = run.error_message;
    }
    t_.observer.listed(run);
  }

  awaitable<std::optional<failure>> attempt(product_run& run, connection_use over) {
    std::optional<failure> failed;
    try {
      product_batch batch = co_await t_.api.products(to_, run.what, over);
      run.response_bytes = batch.bytes;
      batch.proves_absence = status_.of(run.what).proves_absence();
      product_run stored = co_await t_.db.store_products(job_.credential.id, job_.credential.lease,
                                                         std::move(batch), run, t_.policy.removals);
      run = std::move(stored);
    } catch (const failure& f) {
      failed = f;
    }
    co_return failed;
  }

  // Nothing newer at the provider: the watermark says so already. That it is not there, or not to
  // be trusted, is written down (promise P8).
  awaitable<void> skip(product_kind kind, const fetch_decision& decision) {
    if (decision.why_not == outcome::unchanged_upstream) co_return;
    product_run run = new_run(kind);
    run.outcome = decision.why_not;
    run.error_class = decision.error_class;
    run.error_message = decision.explanation;
    if (run.outcome == outcome::failed) {
      ++report_.failed;
      if (report_.error.empty()) report_.error = decision.explanation;
    }
    co_await t_.db.record_product_run(run);
    t_.observer.listed(run);
  }

  // The status call has just spoken of this credential: a 404 is about this list alone, and where
  // the status did not say that it was extracted, it was not.
  void judge(product_run& run, failure f) {
    if (f.http_status == 404) {
      f.http_status = 0;
      if (!status_.of(run.what).created.value_or(false)) run.outcome = outcome::not_available;
    }
    if (run.outcome == outcome::failed) report_.add(f);
  }

  static void describe(product_run& run, const failure& f) {
    run.outcome = outcome::failed;
    run.error_class = f.error_class;
    run.error_stage = to_string(f.stage);
    run.error_message = f.what();
    run.error_hint = f.hint;
    run.provider_code = f.provider_code;
    run.trace_id = f.trace_id;
    run.http_status = f.http_status;
    run.endpoint = f.endpoint;
    if (!f.our_trace_id.empty()) run.our_trace_id = f.our_trace_id;
  }

  [[nodiscard]] product_run new_run(product_kind kind) const {
    product_run run;
    run.run_id = job_.run_id;
    run.why = job_.why;
    run.credential = job_.credential.id;
    run.our_trace_id = job_.trace.value;
    run.what = kind;
    run.provider_update = status_.last_update;
    run.started_at = t_.clock.now();
    return run;
  }

  mirror_tools t_;
  const assignment& job_;
  access to_{job_.credential.credentials_token, job_.trace};
  const credential_status& status_;
  credential_report& report_;
};

}  // namespace

awaitable<void> mirror_products(mirror_tools tools, assignment job, credential_status status,
                                credential_report& report) {
  products_story story(tools, job, status, report);
  co_await story.tell();
}

awaitable<std::optional<failure>> mirror_entities(flanks_api& api, store& db) {
  std::optional<failure> failed;
  bool ours = false;
  const trace_id trace = new_trace();
  try {
    ours = co_await db.claim_entities();
    if (!ours) co_return failed;
    product_batch batch = co_await api.entities(trace);
    co_await db.store_entities(std::move(batch));
  } catch (const failure& f) {
    failed = f;
  }
  if (!failed || !ours) co_return failed;
  try {
    const std::string why = failed->what();
    co_await db.fail_entities(why);
  } catch (const failure& f) {
    failed = f;
  }
  co_return failed;
}

}  // namespace flanks
