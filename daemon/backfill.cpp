#include "daemon/backfill.hpp"

#include <fmt/format.h>

#include "daemon/scheduler.hpp"
#include "sync/text.hpp"

namespace flanks {

namespace asio = boost::asio;
namespace chr = std::chrono;

namespace {

constexpr int page = 256;  // credentials of the plan read at once

}  // namespace

void backfill::counter::received(std::int64_t elements) {
  owner_.numbers_.rows += elements;
}

void backfill::counter::ended(const run_record& record) {
  logging_observer::ended(record);
  if (!record.what) return;
  if (owner_.in_hand_[record.credential].insert(*record.what).second) ++owner_.numbers_.items_done;
  product_totals& totals = owner_.result_.products[*record.what];
  totals.counts += record.counts;
  if (record.outcome == outcome::failed) {
    ++totals.failed;
  } else if (record.outcome == outcome::not_available) {
    ++totals.not_available;
  } else {
    ++totals.windows;
  }
}

backfill::backfill(worker_tools tools, backfill_request request)
    : tools_{tools.executor,
             mirror_tools{tools.mirror.api, tools.mirror.db, tools.mirror.clock, counter_,
                          tools.mirror.policy},
             tools.events, tools.lease},
      request_(std::move(request)),
      counter_(*this, tools.events),
      group_(tools.executor),
      run_id_(new_run_id()) {}

asio::awaitable<backfill_result> backfill::run() {
  const auto begin = tools_.mirror.clock.steady();
  result_.plan = co_await tools_.mirror.db.plan_backfill(request_.who, request_.days,
                                                         request_.explicit_days, request_.restart);
  numbers_.items = result_.plan.items;
  numbers_.items_done = numbers_.items_before = result_.plan.items_done;
  tools_.events.info(
      result_.plan.resumed ? event::backfill_resumed : event::backfill_started,
      {{"backfill_id", result_.plan.backfill_id},
       {"window", to_string(result_.plan.days.from) + ".." + to_string(result_.plan.days.to)},
       {"credentials", result_.plan.credentials},
       {"items", result_.plan.items},
       {"items_done", result_.plan.items_done}});
  group_.spawn(refresh_banks(tools_));
  std::exception_ptr error;
  try {
    co_await work_through();
  } catch (...) {
    error = std::current_exception();
  }
  co_await drain();
  if (error) std::rethrow_exception(error);
  result_.open_items = co_await tools_.mirror.db.finish_backfill(result_.plan.backfill_id);
  result_.interrupted = stopping_;
  result_.took = chr::duration_cast<chr::milliseconds>(tools_.mirror.clock.steady() - begin);
  co_return std::move(result_);
}

asio::awaitable<void> backfill::work_through() {
  credential_id after{0};
  for (;;) {
    const std::vector<credential_id> ids =
        co_await tools_.mirror.db.backfill_credentials(result_.plan.backfill_id, after, page);
    if (ids.empty()) co_return;
    for (const credential_id id : ids) {
      co_await start(id);
      if (stopping_ || result_.stopped_by) co_return;
      after = id;
    }
  }
}

// Waits for a free place, then works on the credential beside the others.
asio::awaitable<void> backfill::start(credential_id id) {
  while (!stopping_ && !result_.stopped_by &&
         static_cast<int>(group_.size()) >= request_.concurrency) {
    co_await group_.wait(chr::hours{1});
  }
  if (!stopping_ && !result_.stopped_by) group_.spawn(one(id));
}

asio::awaitable<void> backfill::one(credential_id id) {
  std::optional<claimed_credential> credential;
  std::vector<plan_item> items;
  std::string trouble, hint = "run the same backfill again";
  try {
    backfill_claim claimed = co_await claim_patiently(id);
    credential = std::move(claimed.credential);
    items = std::move(claimed.items);
  } catch (const failure& f) {
    trouble = f.what();
    if (!f.hint.empty()) hint = f.hint;
    if (f.verdict == verdict::stop && !result_.stopped_by) result_.stopped_by = f;
  }
  if (!credential) {
    if (stopping_) co_return;
    if (trouble.empty()) trouble = "another worker holds its lease";
    numbers_.items_done += static_cast<std::int64_t>(items.size());
    numbers_.failed += static_cast<std::int64_t>(items.size());
    result_.incomplete.push_back({id, trouble, hint});
    co_return;
  }
  assignment job;
  job.credential = std::move(*credential);
  job.run_id = run_id_;
  job.why = trigger::backfill;
  job.items = items;
  const std::optional<credential_report> report = co_await work(tools_, std::move(job));
  finished(id, items.size(), report);
}

// The daemon, or a backfill that was killed, may hold the lease a little longer: at most the time
// of a lease.
asio::awaitable<backfill_claim> backfill::claim_patiently(credential_id id) {
  const auto deadline = tools_.mirror.clock.steady() + tools_.lease + chr::seconds{5};
  bool told = false;
  while (!stopping_) {
    backfill_claim claimed = co_await tools_.mirror.db.claim_for(result_.plan.backfill_id, id);
    if (claimed.credential || tools_.mirror.clock.steady() > deadline) co_return claimed;
    if (!told)
      tools_.events.info(event::lease_awaited, {{"credential_id", id.value}});
    told = true;
    co_await tools_.mirror.clock.sleep(chr::milliseconds{500});
  }
  co_return backfill_claim{};
}

void backfill::finished(credential_id id, std::size_t items,
                        const std::optional<credential_report>& report) {
  if (!report) {
    in_hand_.erase(id);
    if (!stopping_)
      result_.incomplete.push_back({id, "the database did not answer", "see the log"});
    return;
  }
  const auto count = static_cast<std::int64_t>(items);
  // Products that were never reached have ended too, badly.
  numbers_.items_done += count - static_cast<std::int64_t>(in_hand_[id].size());
  in_hand_.erase(id);
  numbers_.failed += std::min<std::int64_t>(report->failed, count);
  if (report->stopped_by && !result_.stopped_by) result_.stopped_by = report->stopped_by;
  if (report->unreachable && !result_.unreachable) result_.unreachable = report->unreachable;
  if (report->ok()) ++result_.complete;
  if (report->partial()) {
    result_.incomplete.push_back(
        {id,
         fmt::format("{} in quarantine{}{}",
                     counted(report->quarantined(), "record is", "records are"),
                     report->refusal.empty() ? "" : ": ", report->refusal),
         report->refusal_hint.empty() ? "select reason, detail from flanks.quarantine"
                                      : report->refusal_hint});
  }
  if (!report->ok()) {
    result_.incomplete.push_back({id, report->error, report->hint});
  } else if (report->suspicious > 0) {
    result_.incomplete.push_back({id, report->suspicion,
                                  "look at it with flanks-sync removals list, then confirm or "
                                  "reject"});
  } else if (report->pending) {
    result_.incomplete.push_back(
        {id, "the provider has not finished the first extraction of this credential",
         "run the same backfill again later"});
  }
}

void backfill::stop() {
  stopping_ = true;
  group_.wake();
}

asio::awaitable<void> backfill::drain() {
  const auto deadline = chr::steady_clock::now() + stop_grace;
  while (group_.size() > 0) {
    if (stopping_ && chr::steady_clock::now() >= deadline) group_.cancel();
    const chr::steady_clock::duration turn = stopping_ ? stop_grace / 20 : chr::hours{1};
    co_await group_.wait(turn);
  }
  co_await group_.join();
}

}  // namespace flanks
