#include "daemon/scheduler.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "sync/error_class.hpp"
#include "sync/text.hpp"

namespace flanks {

namespace asio = boost::asio;
namespace chr = std::chrono;

namespace {

// Places that come free are filled together, an eighth of all at once, so that hundreds of
// credentials do not cost as many claims; none stays free for longer than this.
constexpr int batches = 8;
constexpr chr::milliseconds longest_vacancy{50};
// A credential that is due but claimed elsewhere must not spin us.
constexpr chr::milliseconds shortest_quiet{200};
// How long the claim of another daemon may lock a row.
constexpr chr::milliseconds longest_lock{2000};

// A provider that fails is left alone for two looks at first.
breaker_policy patience_of(const scheduler_options& options) {
  breaker_policy policy;
  policy.first_pause = chr::ceil<chr::seconds>(2 * options.poll);
  policy.longest_pause = std::max(policy.longest_pause, policy.first_pause);
  return policy;
}

}  // namespace

scheduler::scheduler(worker_tools tools, const scheduler_options& options)
    : tools_(tools),
      options_(options),
      health_(patience_of(options)),
      group_(tools.executor),
      telling_(tools.executor),
      fetching_(tools.mirror.db, tools.events, mirror_problem::fetching),
      claiming_(tools.mirror.db, tools.events, mirror_problem::claiming),
      progress_(chr::steady_clock::now()),
      begun_(progress_) {
  tools_.health = &health_;
}

asio::awaitable<void> scheduler::run() {
  std::exception_ptr error;
  try {
    co_await work_until_stopped();
  } catch (...) {
    error = std::current_exception();
  }
  // Whatever happened: what it still has to say needs this scheduler.
  co_await telling_.join();
  if (error) std::rethrow_exception(error);
  co_await tell_problems();
  if (ended_by_) throw *ended_by_;
}

asio::awaitable<void> scheduler::work_until_stopped() {
  while (!stopping_) {
    const bool more = co_await look();
    if (telling_.size() == 0) telling_.spawn(tell_problems());
    if (stopping_) break;
    if (options_.once && !more && group_.size() == 0) break;
    const chr::milliseconds pause = co_await time_to_next_look();
    co_await group_.wait(pause);
  }
  co_await drain();
}

// Beside the work: a database that does not answer delays nothing else. What a daemon before us
// said is over as soon as a credential has been worked on, or a claim has an answer.
asio::awaitable<void> scheduler::tell_problems() {
  if (totals_.stopped_by || totals_.credentials > 0) co_await fetching_.tell(totals_.stopped_by);
  co_await claiming_.tell(trouble_);
}

// Claims as much as there are free places. True when there may be more than that.
asio::awaitable<bool> scheduler::look() {
  const auto now = chr::steady_clock::now();
  const int allowed = health_.places(now);
  const int places = std::min(allowed, options_.concurrency - static_cast<int>(group_.size()));
  const bool paused = now < paused_until_;
  if (places <= 0) free_since_.reset();
  if (places <= 0 || (paused && !options_.once)) {
    progress_ = now;
    co_return !paused && allowed > 0;
  }
  if (options_.once && totals_.stopped_by) co_return false;
  if (!worth_a_claim(places, now)) {
    progress_ = now;
    co_return true;
  }
  co_return co_await claim(places);
}

bool scheduler::worth_a_claim(int places, chr::steady_clock::time_point now) {
  if (!free_since_) free_since_ = now;
  if (group_.size() == 0 && options_.once) return true;
  if (!options_.once && now < quiet_until_) return false;
  return places * batches >= options_.concurrency || now - *free_since_ >= longest_vacancy;
}

asio::awaitable<bool> scheduler::claim(int places) {
  // What becomes due while a single cycle runs belongs to the next one.
  chr::milliseconds age{0};
  if (options_.once) age = chr::floor<chr::milliseconds>(chr::steady_clock::now() - begun_);
  std::vector<claimed_credential> due;
  bool more = false;
  std::optional<failure> failed;
  try {
    due = co_await tools_.mirror.db.claim_due(places, age);
    if (!due.empty()) unclaimable_since_.reset();
    if (due.empty()) more = co_await look_for_unclaimable(age);
  } catch (const failure& f) {
    failed = f;
  }
  if (failed) {
    in_trouble(*failed);
  } else if (!unclaimable_since_ && trouble_) {
    tools_.events.info(event::claims_working);
    trouble_.reset();
  }
  progress_ = chr::steady_clock::now();
  free_since_.reset();
  backlog_ = static_cast<int>(due.size()) == places;
  leave_out_worked(due);
  more = more || !due.empty();
  start(std::move(due));
  co_return more;
}

// Something may lock their rows, or hide them: then the daemon would stand still and look healthy.
asio::awaitable<bool> scheduler::look_for_unclaimable(chr::milliseconds age) {
  const std::int64_t unheld = co_await tools_.mirror.db.unheld_due(age);
  const auto now = chr::steady_clock::now();
  if (unheld == 0) unclaimable_since_.reset();
  if (unheld == 0) co_return false;
  if (!unclaimable_since_) unclaimable_since_ = now;
  // Another daemon locks rows for the moment of its claim.
  if (now - *unclaimable_since_ < std::max<chr::milliseconds>(2 * options_.poll, longest_lock))
    co_return true;
  failure f(stage::lease, verdict::later, "claim_locked",
            fmt::format("{} that nobody holds {} due, but cannot be claimed",
                        counted(unheld, "credential"), plural(unheld, "is", "are")));
  in_trouble(f);
  co_return false;
}

void scheduler::in_trouble(const failure& f) {
  if (options_.once) ended_by_ = f;
  if (options_.once) stopping_ = true;
  if (!trouble_ || std::string_view(trouble_->what()) != f.what()) {
    tools_.events.error(event::claims_failing, {{"error", f.what()},
                                                {"hint", f.hint},
                                                {"error_class", f.error_class},
                                                {"who_must_act", who_must_act(f.error_class)}});
  }
  trouble_ = f;
}

// A credential that could not be given back is due again when its lease has run out.
void scheduler::leave_out_worked(std::vector<claimed_credential>& due) {
  if (!options_.once) return;
  for (claimed_credential& c : std::exchange(due, {})) {
    if (worked_.insert(c.id.value).second) {
      due.push_back(std::move(c));
    } else {
      group_.spawn(postpone(std::move(c), chr::seconds{30}));
    }
  }
}

std::optional<finding> scheduler::trouble() const {
  if (!trouble_) return std::nullopt;
  return unnamed(*trouble_, trouble_->stage == stage::lease ? "due credentials cannot be claimed"
                                                            : "the database cannot be used");
}

void scheduler::start(std::vector<claimed_credential> due) {
  if (due.empty()) return;
  const std::string run_id = new_run_id();
  for (claimed_credential& credential : due) {
    const chr::seconds wait = health_.begin(credential.bank, progress_);
    if (wait.count() > 0) {
      group_.spawn(postpone(std::move(credential), wait));
    } else {
      group_.spawn(one(std::move(credential), run_id));
    }
  }
  if (progress_ < banks_due_) return;
  banks_due_ = progress_ + chr::hours{1};
  group_.spawn(refresh_banks(tools_));
}

asio::awaitable<chr::milliseconds> scheduler::time_to_next_look() {
  const auto now = chr::steady_clock::now();
  if (static_cast<int>(group_.size()) >= options_.concurrency || trouble_) co_return options_.poll;
  if (unclaimable_since_) co_return std::min(shortest_quiet, options_.poll);
  const chr::seconds backing_off = health_.wait(now);
  if (backing_off.count() > 0) co_return std::min<chr::milliseconds>(backing_off, options_.poll);
  if (now < paused_until_ && !options_.once)
    co_return std::min(chr::ceil<chr::milliseconds>(paused_until_ - now), options_.poll);
  if (backlog_) co_return std::min(longest_vacancy, options_.poll);
  if (options_.once) co_return options_.poll;
  if (now < quiet_until_) co_return chr::ceil<chr::milliseconds>(quiet_until_ - now);
  chr::milliseconds quiet = options_.poll;
  try {
    const std::optional<chr::seconds> due = co_await tools_.mirror.db.next_due();
    if (due) quiet = std::min<chr::milliseconds>(*due, quiet);
  } catch (const failure& f) {
    tools_.events.debug("cannot ask when the next credential is due", {{"error", f.what()}});
  }
  quiet = std::min(std::max(quiet, shortest_quiet), options_.poll);
  quiet_until_ = chr::steady_clock::now() + quiet;
  co_return quiet;
}

// Its bank is failing: it waits, and its place is free for others. A little apart, so that they do
// not all come back in one moment.
asio::awaitable<void> scheduler::postpone(claimed_credential credential, chr::seconds wait) {
  next_attempt next;
  next.postponed = true;
  next.delay = wait + chr::seconds{static_cast<std::int64_t>(tools_.mirror.clock.random() * 10)};
  try {
    auto releasing = tools_.mirror.db.release(credential.id, credential.lease, next);
    co_await std::move(releasing);
  } catch (const failure& f) {
    tools_.events.warn(event::lease_not_returned,
                       {{"credential_id", credential.id.value}, {"error", f.what()}});
  }
}

asio::awaitable<void> scheduler::one(claimed_credential credential, std::string run_id) {
  assignment job;
  job.credential = std::move(credential);
  job.run_id = std::move(run_id);
  job.why = trigger::schedule;
  const std::optional<credential_report> report = co_await work(tools_, std::move(job));
  if (report) {
    count(*report);
  } else {
    ++totals_.interrupted;
  }
}

void scheduler::count(const credential_report& report) {
  ++totals_.credentials;
  if (!report.ok()) ++totals_.failed;
  if (report.partial() || (report.ok() && report.suspicious > 0)) ++totals_.partial;
  if (report.unreachable && totals_.failed == totals_.credentials)
    totals_.unreachable = report.unreachable;
  if (totals_.failed < totals_.credentials) totals_.unreachable.reset();
  totals_.counts += report.counts;
  if (!report.stopped_by) {
    stops_ = 0;
    totals_.stopped_by.reset();
    return;
  }
  totals_.stopped_by = report.stopped_by;
  if (chr::steady_clock::now() < paused_until_)
    return;  // the same trouble, met by another credential
  stops_ = std::min(stops_ + 1, 5);
  const chr::minutes pause{2 * stops_};
  paused_until_ = chr::steady_clock::now() + pause;
  tools_.events.error(event::operator_needed,
                      {{"error", report.error},
                       {"hint", report.hint},
                       {"error_class", report.error_class},
                       {"who_must_act", who_must_act(report.error_class)},
                       {"endpoint", report.stopped_by->endpoint},
                       http_status_field(report.stopped_by->http_status),
                       {"trace_id", report.stopped_by->trace_id},
                       {"our_trace_id", report.stopped_by->our_trace_id},
                       {"pause_minutes", static_cast<std::int64_t>(pause.count())}});
}

void scheduler::look_again() {
  paused_until_ = {};
  quiet_until_ = {};
  group_.wake();
}

// Once a second: however many ask, a claim that fails all the same is not made for each of them.
void scheduler::database_answers() {
  if (!trouble_ || chr::steady_clock::now() - progress_ < chr::seconds{1}) return;
  quiet_until_ = {};
  group_.wake();
}

void scheduler::stop() {
  stopping_ = true;
  group_.wake();
}

asio::awaitable<void> scheduler::drain() {
  const auto deadline = chr::steady_clock::now() + stop_grace;
  while (group_.size() > 0) {
    const auto now = chr::steady_clock::now();
    if (now >= deadline) {
      tools_.events.warn(event::windows_abandoned,
                         {{"credentials", static_cast<std::int64_t>(group_.size())}});
      group_.cancel();
      break;
    }
    co_await group_.wait(deadline - now);
  }
  co_await group_.join();
}

std::string scheduler::summary() const {
  const auto in_hand = [this] {
    return counted(static_cast<std::int64_t>(group_.size()), "credential");
  };
  if (stopping_) return fmt::format("stopping: {} in hand", in_hand());
  if (trouble_) return fmt::format("not ready: {}", trouble_->what());
  if (totals_.stopped_by) return fmt::format("not ready: {}", totals_.stopped_by->what());
  if (health_.backs_off())
    return fmt::format("not ready: the provider fails for every credential; {} in hand",
                       group_.size());
  return fmt::format("{} in hand; {} done, {} failed; {} written since the start", in_hand(),
                     totals_.credentials, totals_.failed,
                     counted(totals_.counts.inserted + totals_.counts.updated, "row"));
}

std::string new_run_id() {
  std::random_device device;
  std::array<std::uint32_t, 4> r{device(), device(), device(), device()};
  return fmt::format("{:08x}-{:04x}-4{:03x}-{:04x}-{:04x}{:08x}", r[0], r[1] >> 16, r[1] & 0xfff,
                     0x8000 | ((r[2] >> 16) & 0x3fff), r[2] & 0xffff, r[3]);
}

}  // namespace flanks
