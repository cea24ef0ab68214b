// Polls credentials that are due as the daemon does, with its scheduler, worker, story and store,
// and a provider that answers at once that it has nothing newer: what is left is the schedule
// itself.
//   polls DSN POLLS CONCURRENCY     prints one JSON object
//   polls slots COUNT               prints the ids 1 to COUNT in the order of their turns in a day
//   polls freshness SEED            a simulated year of 1 000 credentials: how late their rows are
//                                   by our schedule and by a fixed one, as a JSON array
#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <random>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/app.hpp"
#include "daemon/scheduler.hpp"
#include "db/pg_store.hpp"
#include "sync/schedule.hpp"
#include "tests/unit/refresh_schedules.hpp"

namespace flanks {
namespace {

namespace chr = std::chrono;

// Refreshed long ago: every credential of the benchmark has read it.
class quiet_provider final : public flanks_api {
 public:
  std::function<void()> on_status;

  awaitable<credential_status> status(const access&) override {
    on_status();
    credential_status said;
    said.bank = "bank";
    said.last_update = instant{chr::sys_days{chr::year{2026} / 1 / 2}};
    said.created_at = instant{chr::sys_days{chr::year{2026} / 1 / 1}};
    for (product_status& s : said.transactions)
      s.created = true, s.errored = false;
    for (product_status& s : said.products)
      s.created = true, s.errored = false;
    co_return said;
  }
  awaitable<bool> takes_windows(const access&) override { co_return true; }
  awaitable<response_summary> transactions(const access&, product, window, connection_use,
                                           batch_sink&) override {
    throw std::logic_error("transactions were asked for");
  }
  awaitable<product_batch> products(const access&, product_kind, connection_use) override {
    throw std::logic_error("products were asked for");
  }
  awaitable<product_batch> entities(const trace_id&) override { co_return product_batch{}; }
  awaitable<void> authenticate() override { co_return; }
  awaitable<void> close() override { co_return; }
};

class loud_log final : public log {
 public:
  void write(config::log_level level, const log_message& what, log_fields fields) override {
    if (level < config::log_level::warn) return;
    std::cerr << what.text();
    for (const log_field& f : fields)
      std::cerr << ' ' << f.name << '=' << f.value;
    std::cerr << '\n';
  }
  void set_level(config::log_level) override {}
};

// KiB that were ever resident (proc(5), VmHWM).
std::string peak_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:"))
      return std::to_string(std::strtol(line.c_str() + 6, nullptr, 10));
  }
  return "0";
}

double processor_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

int poll(const std::string& dsn, int polls, int concurrency) {
  boost::asio::io_context loop{1};
  configuration defaults;
  defaults.file.values.database.dsn = dsn;
  const db_options database = database_options(defaults);
  const auto clock = make_clock(loop.get_executor());
  const auto db = make_store(loop.get_executor(), database);
  quiet_provider provider;
  loud_log events;
  logging_observer observer(events, config::log_level::debug);
  const sync_policy policy;
  const scheduler_options options{
      .concurrency = concurrency, .poll = defaults.values().sync.poll, .once = true};
  const mirror_tools mirror{provider, *db, *clock, observer, policy};
  scheduler daemon(worker_tools{loop.get_executor(), mirror, events, database.lease_time}, options);
  int asked = 0;
  provider.on_status = [&] {
    if (++asked == polls) daemon.stop();
  };
  std::exception_ptr error;
  const auto begin = chr::steady_clock::now();
  boost::asio::co_spawn(loop, daemon.run(), [&](std::exception_ptr e) { error = e; });
  loop.run();
  if (error) std::rethrow_exception(error);
  const chr::duration<double> took = chr::steady_clock::now() - begin;
  const scheduler_totals& totals = daemon.totals();
  fmt::print(R"({{"polls":{},"failed":{},"seconds":{:.6f},"cpu_seconds":{:.3f},"peak_kib":{}}})"
             "\n",
             totals.credentials, totals.failed, took.count(), processor_seconds(), peak_memory());
  return totals.failed == 0 ? 0 : 1;
}

int print_slots(std::int64_t count) {
  const chr::seconds interval = chr::hours{24};
  std::mt19937_64 random(17);
  std::vector<std::pair<std::int64_t, std::int64_t>> turns;
  for (std::int64_t id = 1; id <= count; ++id) {
    const double jitter = std::uniform_real_distribution<double>{0, 1}(random);
    const auto delay = delay_to_slot(credential_id{id}, 0, interval, instant{}, jitter);
    turns.emplace_back(delay.count() % interval.count(), id);
  }
  std::sort(turns.begin(), turns.end());
  for (const auto& turn : turns)
    fmt::print("{}\n", turn.second);
  return 0;
}

std::string freshness_json(std::string_view schedule, const freshness& f) {
  return fmt::format(
      R"({{"schedule":"{}","refreshes":{},"p50":{:.1f},"p95":{:.1f},"p99":{:.1f},"calls_a_day":{:.2f},"most_calls":{}}})",
      schedule, f.minutes.size(), f.quantile(0.5), f.quantile(0.95), f.quantile(0.99),
      f.calls_a_day, f.most_calls);
}

int print_freshness(std::uint64_t seed) {
  simulated_provider provider;
  provider.seed = seed;
  fmt::print("[{},\n {}]\n",
             freshness_json("learned", simulate(provider, learned_schedule(provider))),
             freshness_json("fixed", simulate(provider, fixed_schedule(provider))));
  return 0;
}

}  // namespace
}  // namespace flanks

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "slots")
    return flanks::print_slots(std::atoll(argv[2]));
  if (argc == 3 && std::string_view(argv[1]) == "freshness")
    return flanks::print_freshness(std::strtoull(argv[2], nullptr, 10));
  if (argc != 4) {
    std::cerr << "usage: polls DSN POLLS CONCURRENCY | polls slots COUNT | polls freshness SEED\n";
    return 64;
  }
  try {
    return flanks::poll(argv[1], std::atoi(argv[2]), std::atoi(argv[3]));
  } catch (const std::exception& e) {
    std::cerr << e.what() << '\n';
    return 1;
  }
}
