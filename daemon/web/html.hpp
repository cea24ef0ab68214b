// Text made into HTML. Every argument of html() that is text is escaped; only `markup`, which
// html() itself has made, goes in as it is. Pure.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace flanks::web {

// The text of others as it may stand between tags and inside quoted attributes, on one line: a
// blank for each character that steers what is shown, U+FFFD for each byte that is no UTF-8.
[[nodiscard]] std::string escaped(std::string_view text);

// HTML that is complete in itself.
struct markup {
  std::string text;

  markup& operator+=(const markup& more) {
    text += more.text;
    return *this;
  }
  [[nodiscard]] bool empty() const { return text.empty(); }
};

// What becomes of an argument of html().
[[nodiscard]] inline std::string fit(std::string_view text) {
  return escaped(text);
}
[[nodiscard]] inline std::string_view fit(const markup& made) {
  return made.text;
}
template <class T>
requires(std::is_arithmetic_v<T>) [[nodiscard]] T fit(T number) {
  return number;
}

// As fmt::format. The format itself is ours.
template <class... T>
[[nodiscard]] markup html(fmt::format_string<decltype(fit(std::declval<const T&>()))...> format,
                          const T&... arguments) {
  const auto formatted = [&](const auto&... fitted) {
    return fmt::vformat(format, fmt::make_format_args(fitted...));
  };
  return {formatted(fit(arguments)...)};
}

// Account and card numbers inside a text become their last four characters: every IBAN, and every
// number of ten digits or more, also in groups of two to six, or with stars in it. Dates, addresses
// of machines and trace ids stay.
[[nodiscard]] std::string masked(std::string_view text);

// As a value of a query: %20 for a blank.
[[nodiscard]] std::string url_encoded(std::string_view text);

}  // namespace flanks::web
