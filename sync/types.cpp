#include "sync/types.hpp"

#include <fmt/format.h>

#include "sync/error_class.hpp"
#include "sync/failure.hpp"
#include "sync/transaction.hpp"

namespace flanks {

namespace {

// Names in the order of their enumerators.
template <class Enum, std::size_t N>
std::string_view name_in(const std::array<std::string_view, N>& names, Enum value) {
  return names.at(static_cast<std::size_t>(value));
}

template <class Enum, std::size_t N>
std::optional<Enum> value_in(const std::array<std::string_view, N>& names, std::string_view name) {
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

constexpr std::array<std::string_view, 4> products{"account", "card", "investment", "liability"};
constexpr std::array<std::string_view, 7> kinds{"account",   "card",     "investment", "liability",
                                                "portfolio", "identity", "holder"};
constexpr std::array<std::string_view, 8> states{"new",     "pending", "ok",   "action_required",
                                                 "blocked", "error",   "gone", "paused"};
constexpr std::array<std::string_view, 5> problems{"fetching", "claiming", "reloading", "clock",
                                                   "working"};
constexpr std::array<std::string_view, 5> problem_titles{
    "Nothing can be fetched", "Credentials that are due cannot be claimed",
    "The configuration could not be reloaded", "The clocks are apart",
    "Nobody works on what is due"};
constexpr std::array<std::string_view, 5> triggers{"schedule", "sweep", "backfill", "manual",
                                                   "repair"};
constexpr std::array<std::string_view, 6> outcomes{
    "ok", "partial", "failed", "suspicious", "unchanged_upstream", "not_available"};
constexpr std::array<std::string_view, 14> stages{
    "resolve", "connect", "tls",      "send",  "first_byte", "receive", "parse",
    "token",   "answer",  "database", "write", "commit",     "lease",   "configuration"};
constexpr std::array<std::string_view, 5> verdicts{"retry", "later", "halve", "park", "stop"};

// Two or four digits; -1 when there is anything else.
int digits(std::string_view text) {
  int value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return -1;
    value = value * 10 + (c - '0');
  }
  return value;
}

}  // namespace

std::string_view to_string(product p) {
  return name_in(products, p);
}
std::string_view to_string(product_kind k) {
  return name_in(kinds, k);
}
std::string_view to_string(credential_state s) {
  return name_in(states, s);
}
std::string_view to_string(mirror_problem p) {
  return name_in(problems, p);
}
std::optional<mirror_problem> mirror_problem_from(std::string_view name) {
  return value_in<mirror_problem>(problems, name);
}
std::string_view title_of(mirror_problem p) {
  return name_in(problem_titles, p);
}
failure::failure(flanks::stage s, flanks::verdict v, std::string name, const std::string& message)
    : std::runtime_error(message),
      stage(s),
      verdict(v),
      error_class(std::move(name)),
      hint(hint_of(error_class)) {}

std::string_view to_string(trigger t) {
  return name_in(triggers, t);
}
std::string_view to_string(outcome o) {
  return name_in(outcomes, o);
}
std::string_view to_string(stage s) {
  return name_in(stages, s);
}
std::string_view to_string(verdict v) {
  return name_in(verdicts, v);
}

std::optional<product> product_from(std::string_view name) {
  return value_in<product>(products, name);
}
std::optional<product_kind> product_kind_from(std::string_view name) {
  return value_in<product_kind>(kinds, name);
}
std::optional<credential_state> credential_state_from(std::string_view name) {
  return value_in<credential_state>(states, name);
}

std::string to_string(day d) {
  const std::chrono::year_month_day date{d};
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

std::optional<day> day_from(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const int y = digits(text.substr(0, 4));
  const int m = digits(text.substr(5, 2));
  const int d = digits(text.substr(8, 2));
  if (y < 1 || m < 1 || d < 1) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{y},
                                         std::chrono::month{static_cast<unsigned>(m)},
                                         std::chrono::day{static_cast<unsigned>(d)}};
  if (!date.ok()) return std::nullopt;
  return day{date};
}

day day_of(instant t) {
  return std::chrono::floor<std::chrono::days>(t);
}

std::string to_string(instant t) {
  const day d = day_of(t);
  const std::chrono::hh_mm_ss time{t - d};
  return fmt::format("{}T{:02}:{:02}:{:02}Z", to_string(d), time.hours().count(),
                     time.minutes().count(), time.seconds().count());
}

row_counts& row_counts::operator+=(const row_counts& other) {
  fetched += other.fetched;
  inserted += other.inserted;
  updated += other.updated;
  unchanged += other.unchanged;
  duplicates += other.duplicates;
  quarantined += other.quarantined;
  warnings += other.warnings;
  removed += other.removed;
  return *this;
}

}  // namespace flanks
