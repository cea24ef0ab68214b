// Comparing what came with what the database holds, in memory: reading the known rows in, and
// looking one up for every row that comes.
#include <benchmark/benchmark.h>

#include <array>
#include <string>
#include <vector>

#include "sync/fingerprint_set.hpp"
#include "tests/sandbox/data.hpp"
#include "tests/unit/some_key.hpp"

namespace flanks::bench {
namespace {

using id_text = std::array<char, 24>;

std::string_view view(const id_text& id) {
  return {id.data(), id.size()};
}

// In the order of their days, as they come; by key that is any order.
std::vector<id_text> make_ids(std::int64_t count) {
  const sandbox::generator data(7, false);
  std::vector<id_text> ids(static_cast<std::size_t>(count));
  sandbox::operation which;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    which.ordinal = i;
    data.write_id(which, ids[i].data());
  }
  return ids;
}

fingerprint_set load(const std::vector<id_text>& ids) {
  constexpr day on{std::chrono::days{20'000}};
  fingerprint_set rows(0x5eed, some_key(), {on, on});
  for (std::size_t i = 0; i < ids.size(); ++i)
    rows.add(view(ids[i]), content_hash{i, ~i}, on, false, false);
  rows.seal();
  return rows;
}

void fingerprint_set_load(benchmark::State& state) {
  const auto ids = make_ids(state.range(0));
  for ([[maybe_unused]] auto _ : state)
    benchmark::DoNotOptimize(load(ids).all().size());
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void fingerprint_set_find(benchmark::State& state) {
  const auto ids = make_ids(state.range(0));
  fingerprint_set rows = load(ids);
  for ([[maybe_unused]] auto _ : state) {
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const std::size_t at = rows.index_of(view(ids[i]));
      const content_hash content{i, ~i};
      if (at == fingerprint_set::none || !(rows.at(at).content() == content)) {
        state.SkipWithError("a row is not known");
        return;
      }
      rows.see(at, content);
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

BENCHMARK(fingerprint_set_load)->Arg(1000)->Arg(1'000'000);
BENCHMARK(fingerprint_set_find)->Arg(1000)->Arg(1'000'000);

}  // namespace
}  // namespace flanks::bench
