#include "tests/bench/provider_bytes.hpp"

#include "tests/sandbox/data.hpp"

namespace flanks::bench {

namespace {

constexpr std::size_t piece_size = 64 * 1024;

}  // namespace

response_bytes make_response(std::int64_t records, bool oddities) {
  const sandbox::generator data(7, oddities);
  sandbox::operation which;
  which.entity = "testbank";
  response_bytes out;
  out.records = records;
  out.body = "[";
  sandbox::record one;
  for (std::int64_t i = 0; i < records; ++i) {
    // A card now and then: other fields, so that no two neighbours need to look alike.
    which.what = i % 4 == 3 ? sandbox::product::card : sandbox::product::account;
    which.ordinal = static_cast<std::uint64_t>(i);
    which.date = sandbox::day{std::chrono::days{20'000 - i % 730}};
    data.make(which, one);
    if (i > 0) out.body += ",\n";
    sandbox::generator::render(one, out.body);
  }
  out.body += "]\n";
  return out;
}

response_bytes spaced(const response_bytes& compact) {
  response_bytes out;
  out.records = compact.records;
  out.body.reserve(compact.body.size() * 5 / 4);
  bool in_string = false, escaped = false;
  for (const char c : compact.body) {
    out.body += c;
    if (escaped) {
      escaped = false;
    } else if (c == '\\') {
      escaped = true;
    } else if (c == '"') {
      in_string = !in_string;
    } else if (!in_string && (c == ',' || c == ':')) {
      out.body += ' ';
    }
  }
  return out;
}

std::vector<std::string_view> pieces_of(const response_bytes& response) {
  std::vector<std::string_view> pieces;
  for (std::string_view left = response.body; !left.empty();) {
    pieces.push_back(left.substr(0, piece_size));
    left.remove_prefix(pieces.back().size());
  }
  return pieces;
}

}  // namespace flanks::bench
