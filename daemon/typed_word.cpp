#include "daemon/typed_word.hpp"

#include <fmt/format.h>

#include "config/secret_file.hpp"
#include "sync/text.hpp"

namespace flanks {

namespace {

constexpr std::size_t repeated_size = 60;
constexpr std::size_t plain_size = 24;

bool is_like_a_day(std::string_view word) {
  return word.size() <= plain_size &&
         word.find_first_not_of("0123456789-./: ") == std::string_view::npos;
}

typed_word repeated(const std::string& word) {
  const bool whole = word.size() <= repeated_size;
  return {fmt::format("\"{}{}\"", whole ? word : std::string(clipped(word, repeated_size)),
                      whole ? "" : "..."),
          ""};
}

typed_word hidden() {
  return {"what was given", "; the argument is not repeated here: it may be a secret"};
}

}  // namespace

bool is_plain_word(std::string_view word) {
  return word.size() <= plain_size &&
         word.find_first_not_of("abcdefghijklmnopqrstuvwxyz-") == std::string_view::npos;
}

typed_word told(const std::string& word) {
  return config::may_be_repeated(word) ? repeated(word) : hidden();
}

typed_word told_choice(const std::string& word) {
  return is_plain_word(word) || is_like_a_day(word) ? repeated(word) : told(word);
}

}  // namespace flanks
