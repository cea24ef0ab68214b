// The parse stage (response bytes to batches) beside Boost.JSON's basic_parser with a handler that
// does nothing, over the same bytes in the same pieces.
#include <benchmark/benchmark.h>

#include <xxhash.h>

#include <boost/json/basic_parser_impl.hpp>
#include <chrono>
#include <stdexcept>

#include "sync/flanks/decimal.hpp"
#include "sync/flanks/parse.hpp"
#include "tests/bench/provider_bytes.hpp"
#include "tests/unit/some_key.hpp"

namespace flanks::bench {
namespace {

namespace json = boost::json;

constexpr std::int64_t record_count = 20'000;

const response_bytes& odd() {
  static const response_bytes made = make_response(record_count, true);
  return made;
}
const response_bytes& plain() {
  static const response_bytes made = make_response(record_count, false);
  return made;
}
const response_bytes& with_blanks() {
  static const response_bytes made = spaced(odd());
  return made;
}

struct empty_handler {
  using view = json::string_view;
  using error = json::error_code;
  static constexpr std::size_t max_array_size = SIZE_MAX;
  static constexpr std::size_t max_object_size = SIZE_MAX;
  static constexpr std::size_t max_string_size = SIZE_MAX;
  static constexpr std::size_t max_key_size = SIZE_MAX;

  bool on_document_begin(error&) { return true; }
  bool on_document_end(error&) { return true; }
  bool on_object_begin(error&) { return true; }
  bool on_object_end(std::size_t, error&) { return true; }
  bool on_array_begin(error&) { return true; }
  bool on_array_end(std::size_t, error&) { return true; }
  bool on_key_part(view, std::size_t, error&) { return true; }
  bool on_key(view, std::size_t, error&) { return true; }
  bool on_string_part(view, std::size_t, error&) { return true; }
  bool on_string(view, std::size_t, error&) { return true; }
  bool on_number_part(view, error&) { return true; }
  bool on_int64(std::int64_t, view, error&) { return true; }
  bool on_uint64(std::uint64_t, view, error&) { return true; }
  bool on_double(double, view, error&) { return true; }
  bool on_bool(bool, error&) { return true; }
  bool on_null(error&) { return true; }
  bool on_comment_part(view, error&) { return true; }
  bool on_comment(view, error&) { return true; }
};

void read_empty(const std::vector<std::string_view>& pieces) {
  json::basic_parser<empty_handler> parser{json::parse_options{}};
  json::error_code error;
  for (const std::string_view piece : pieces)
    parser.write_some(true, piece.data(), piece.size(), error);
  parser.write_some(false, "", 0, error);
  if (error) throw std::runtime_error("the yardstick refuses the bytes: " + error.message());
}

// Hashed as the write path does it, then thrown away: as when the database were infinitely fast.
void read_stage(const response_bytes& response, const std::vector<std::string_view>& pieces) {
  transaction_parser parser({"POST /data at flanks", {}}, {});
  std::int64_t rows = 0;
  const auto drain = [&] {
    while (parser.ready()) {
      transaction_batch batch = parser.next();
      batch.hash_content(some_key());
      rows += static_cast<std::int64_t>(batch.transactions.size());
    }
  };
  for (const std::string_view piece : pieces) {
    parser.feed(piece);
    drain();
  }
  parser.finish();
  drain();
  if (rows != response.records) throw std::runtime_error("rows were lost");
}

void count(benchmark::State& state, const response_bytes& response) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(response.body.size()));
  state.SetItemsProcessed(state.iterations() * response.records);
}

void parse_stage(benchmark::State& state, const response_bytes& response) {
  const auto pieces = pieces_of(response);
  for ([[maybe_unused]] auto _ : state)
    read_stage(response, pieces);
  count(state, response);
}

void parse_empty_handler(benchmark::State& state, const response_bytes& response) {
  const auto pieces = pieces_of(response);
  for ([[maybe_unused]] auto _ : state)
    read_empty(pieces);
  count(state, response);
}

// The least that fingerprints of each record's raw bytes would cost in place of the stage: the JSON
// of the whole answer is checked all the same (an answer that is not JSON is refused), and every
// byte is hashed, in pieces of a record's size.
void raw_bytes(benchmark::State& state, const response_bytes& response) {
  const auto pieces = pieces_of(response);
  const std::string_view body = response.body;
  const std::size_t record = body.size() / static_cast<std::size_t>(response.records);
  for ([[maybe_unused]] auto _ : state) {
    read_empty(pieces);
    for (std::size_t at = 0; at < body.size(); at += record) {
      const std::string_view bytes = body.substr(at, record);
      benchmark::DoNotOptimize(XXH3_128bits_withSeed(bytes.data(), bytes.size(), 1));
    }
  }
  count(state, response);
}

// Both in turns, so that what else the machine does hits them alike: how many times as fast as the
// empty handler the stage is.
void parse_ratio(benchmark::State& state, const response_bytes& response) {
  using clock = std::chrono::steady_clock;
  const auto pieces = pieces_of(response);
  clock::duration yardstick{}, ours{};
  for ([[maybe_unused]] auto _ : state) {
    const auto begin = clock::now();
    read_empty(pieces);
    const auto middle = clock::now();
    read_stage(response, pieces);
    ours += clock::now() - middle;
    yardstick += middle - begin;
  }
  state.counters["ratio"] = std::chrono::duration<double>(yardstick) / ours;
}

transaction_batch some_rows() {
  parse_limits limits;
  limits.batch_bytes = SIZE_MAX;
  transaction_parser parser({"", {}}, limits);
  parser.feed(odd().body);
  parser.finish();
  return parser.next();
}

void content_hash_bench(benchmark::State& state) {
  const transaction_batch batch = some_rows();
  for ([[maybe_unused]] auto _ : state) {
    for (const transaction& t : batch.transactions)
      benchmark::DoNotOptimize(hash_of(t, some_key(), batch.text.newest()));
  }
  state.SetItemsProcessed(state.iterations() *
                          static_cast<std::int64_t>(batch.transactions.size()));
}

void decimal_bench(benchmark::State& state) {
  const transaction_batch batch = some_rows();
  std::string work;
  for ([[maybe_unused]] auto _ : state) {
    for (const transaction& t : batch.transactions)
      benchmark::DoNotOptimize(plain_decimal(t[column::amount], work));
  }
  state.SetItemsProcessed(state.iterations() *
                          static_cast<std::int64_t>(batch.transactions.size()));
}

BENCHMARK_CAPTURE(parse_stage, odd, odd())->Name("parse_stage");
BENCHMARK_CAPTURE(parse_empty_handler, odd, odd())->Name("parse_empty_handler");
BENCHMARK_CAPTURE(raw_bytes, odd, odd())->Name("raw_bytes");
BENCHMARK_CAPTURE(parse_ratio, odd, odd())->Name("parse_ratio");
BENCHMARK_CAPTURE(parse_stage, plain, plain())->Name("parse_stage/plain");
BENCHMARK_CAPTURE(parse_ratio, plain, plain())->Name("parse_ratio/plain");
BENCHMARK_CAPTURE(parse_stage, blanks, with_blanks())->Name("parse_stage/blanks");
BENCHMARK_CAPTURE(parse_ratio, blanks, with_blanks())->Name("parse_ratio/blanks");
BENCHMARK(content_hash_bench)->Name("content_hash");
BENCHMARK(decimal_bench)->Name("decimal");

}  // namespace
}  // namespace flanks::bench
