#include "daemon/given_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "daemon/typed_word.hpp"

namespace flanks {

namespace {

[[noreturn]] void refuse(const std::string& message) {
  throw refused_value(message);
}

std::optional<day> read_day(const std::string& option, const std::string& text) {
  if (text.empty()) return std::nullopt;
  const std::optional<day> d = day_from(text);
  const typed_word word = told_choice(text);
  if (!d)
    refuse(fmt::format("{}: {} is not a day; write YYYY-MM-DD{}", option, word.name, word.note));
  return d;
}

std::int64_t read_number(const std::string& what, const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number <= 0)
    refuse(fmt::format("{}: {} is no number from 1 on{}", what, told(text).name, told(text).note));
  return number;
}

// The sync_run_id that raised a review, as the database writes it.
std::string read_run(const std::string& text) {
  std::string run = text;
  for (char& c : run)
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  bool fits = run.size() == 36;
  for (std::size_t i = 0; fits && i < run.size(); ++i) {
    const bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
    const bool digit = (run[i] >= '0' && run[i] <= '9') || (run[i] >= 'a' && run[i] <= 'f');
    fits = hyphen ? run[i] == '-' : digit;
  }
  if (!fits) {
    refuse(
        fmt::format("run: {} is no id of a run; removals list shows it, in the form "
                    "0b5f9a52-7c11-4f0e-9d55-3c1f6c6b4d10{}",
                    told(text).name, told(text).note));
  }
  return run;
}

void read_watch(const given_text& given, invocation& asked) {
  constexpr std::int64_t day_long = 86400;
  if (!given.watch) return;
  const std::int64_t seconds = given.watch->empty() ? 2 : read_number("--watch", *given.watch);
  if (seconds > day_long) refuse("--watch: more than a day lies between two looks");
  if (asked.json) refuse("--watch draws on a terminal: it goes without --json");
  if (asked.exit_code) refuse("--watch ends when you end it: it goes without --exit-code");
  asked.watch = std::chrono::seconds{seconds};
}

void read_products(const given_text& given, invocation& asked) {
  std::vector<product>& all = asked.who.products;
  for (const std::string& name : given.products) {
    const std::optional<product> p = product_from(name);
    const typed_word word = told_choice(name);
    if (!p)
      refuse(fmt::format("--product: {} is none of account, card, investment, liability{}",
                         word.name, word.note));
    if (std::find(all.begin(), all.end(), *p) == all.end()) all.push_back(*p);
  }
}

void read_days(const given_text& given, invocation& asked) {
  asked.from = read_day("--from", given.from);
  asked.to = read_day("--to", given.to);
  if (asked.to && !asked.from) refuse("--to needs --from: the window has two ends");
  if (asked.from && asked.to && *asked.to < *asked.from) refuse("--to lies before --from");
}

void read_level(const given_text& given, invocation& asked) {
  static const std::vector<std::pair<std::string, config::log_level>> levels{
      {"trace", config::log_level::trace},
      {"debug", config::log_level::debug},
      {"info", config::log_level::info},
      {"warn", config::log_level::warn},
      {"error", config::log_level::error}};
  if (given.level.empty()) return;
  for (const auto& [name, level] : levels) {
    if (name == given.level) asked.level = level;
  }
  if (!asked.level) {
    const typed_word word = told_choice(given.level);
    refuse(fmt::format("--log-level: {} is none of trace, debug, info, warn, error{}", word.name,
                       word.note));
  }
}

}  // namespace

void read_values(const given_text& given, invocation& asked) {
  for (const std::string& u : given.users)
    asked.who.users.push_back(user_id{u});
  for (const std::string& c : given.credentials)
    asked.who.credentials.push_back(credential_id{read_number("credential", c)});
  if (!given.succession.empty()) asked.succession = read_number("succession", given.succession);
  if (!asked.review.empty()) asked.review = read_run(asked.review);
  read_watch(given, asked);
  read_products(given, asked);
  read_days(given, asked);
  read_level(given, asked);
}

}  // namespace flanks
