// The small grammars inside scalars: numbers, durations, sizes, URLs, connection strings. Pure; no
// YAML, no files.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace flanks::config {

// What is wrong with a value, and what to write instead. Neither repeats the value.
struct complaint {
  std::string what;
  std::string hint;
};
using verdict_on_value = std::optional<complaint>;

using name_list = std::span<const std::string_view>;
// "a", "a or b", "a, b or c".
[[nodiscard]] std::string one_of(name_list names);

// Each reads the whole text into `into`, or leaves it alone and says what is wrong. Bounds are
// inclusive.
[[nodiscard]] verdict_on_value read_integer(std::string_view text, int least, int most, int& into);
[[nodiscard]] verdict_on_value read_decimal(std::string_view text, double least, double most,
                                            double& into);
// `true` or `false`.
[[nodiscard]] verdict_on_value read_flag(std::string_view text, bool& into);
// A whole number and ms, s, m, h or d: "500ms", "30d". The result is a whole number of `unit`
// (1 ms, 1 s, 1 day), else it is refused.
[[nodiscard]] verdict_on_value read_duration(std::string_view text, std::chrono::milliseconds unit,
                                             std::chrono::milliseconds least,
                                             std::chrono::milliseconds most,
                                             std::chrono::milliseconds& into);
// A whole number of bytes, alone or with B, KiB, MiB or GiB.
[[nodiscard]] verdict_on_value read_size(std::string_view text, std::uint64_t least,
                                         std::uint64_t most, std::uint64_t& into);
// "https://host[:port]", a slash at the end is dropped; http for loopback only.
[[nodiscard]] verdict_on_value read_base_url(std::string_view text, std::string& into);
// A libpq conninfo string or URI (libpq, "Connection Strings") that holds no password, no keyword
// that libpq does not know, and no value that it would refuse.
[[nodiscard]] verdict_on_value read_dsn(std::string_view text, std::string& into);

// Where the admin listener is: "none", "unix:/path", or "address:port" with an address of this
// machine (an IPv6 address in brackets; localhost is read as 127.0.0.1). Not "every address".
[[nodiscard]] verdict_on_value read_listen(std::string_view text, std::string& into);
// A host name, or an address (IPv6 in brackets), without a port; in lower case.
[[nodiscard]] verdict_on_value read_host(std::string_view text, std::string& into);

// In the largest unit that keeps it whole: "90s", "24h", "30d"; "0s" for none.
[[nodiscard]] std::string duration_text(std::chrono::milliseconds d);
[[nodiscard]] std::string size_text(std::uint64_t bytes);
// Without trailing zeros: "2", "0.5".
[[nodiscard]] std::string decimal_text(double value);

}  // namespace flanks::config
