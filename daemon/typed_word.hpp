// How an error repeats a word of the command line. People type a secret where something else
// belongs, and errors go to journals and screens: only what cannot be one is repeated.
#pragma once

#include <string>
#include <string_view>

namespace flanks {

struct typed_word {
  std::string name;  // the word in quotes, at most 60 characters of it; or "what was given"
  std::string note;  // for the end of the sentence; empty when the word is repeated
};

// Repeats what config::may_be_repeated() lets pass.
[[nodiscard]] typed_word told(const std::string& word);
// Where one of a few words or a day belongs: also a short one of small letters and hyphens, and one
// of digits and what parts them.
[[nodiscard]] typed_word told_choice(const std::string& word);
// Whether it is such a short word.
[[nodiscard]] bool is_plain_word(std::string_view word);

}  // namespace flanks
