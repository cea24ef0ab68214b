// Planning: which days to ask for, from what is covered to the windows of the requests.
#include <benchmark/benchmark.h>

#include "sync/window.hpp"

namespace flanks::bench {
namespace {

void window_plan(benchmark::State& state) {
  const day first = *day_from("2024-01-01");
  std::int64_t plans = 0;
  for ([[maybe_unused]] auto _ : state) {
    const day today = first + std::chrono::days{plans % 1000};
    const window all = history(today, 24);
    const window covered{months_before(today, 24), today - std::chrono::days{plans % 90}};
    const window next = next_window(covered, all, std::chrono::days{30});
    benchmark::DoNotOptimize(cut(next, 92));
    ++plans;
  }
  state.SetItemsProcessed(plans);
}

BENCHMARK(window_plan);

}  // namespace
}  // namespace flanks::bench
