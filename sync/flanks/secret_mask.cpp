#include "sync/flanks/secret_mask.hpp"

#include <algorithm>
#include <cstring>

namespace flanks {

secret_mask::secret_mask(const std::vector<const secret*>& secrets) {
  for (const secret* const s : secrets) {
    const std::string_view text = s->reveal();
    if (text.size() < shortest) continue;
    secrets_.push_back(text);
    longest_ = std::max(longest_, text.size());
    stride_ = stride_ == 0 ? text.size() : std::min(stride_, text.size());
  }
  if (secrets_.empty()) return;
  // In every run of so many bytes of a secret begins one whole gram that is looked at.
  stride_ -= gram - 1;
  grams_.resize(std::size_t{1} << 16);
  for (const std::string_view text : secrets_) {
    for (std::size_t at = 0; at + gram <= text.size(); ++at)
      grams_[hash_of_gram(text.data() + at)] = true;
  }
}

std::uint16_t secret_mask::hash_of_gram(const char* at) {
  std::uint32_t word = 0;
  std::memcpy(&word, at, gram);
  return static_cast<std::uint16_t>(word * 0x9E3779B1U >> 16);
}

bool secret_mask::occurs_around(std::string_view bytes, std::size_t at) const {
  const std::size_t begin = at - std::min(at, longest_);
  const std::string_view around = bytes.substr(begin, at - begin + longest_ + gram);
  return std::any_of(secrets_.begin(), secrets_.end(), [around](std::string_view text) {
    return around.find(text) != std::string_view::npos;
  });
}

bool secret_mask::occurs_in(std::string_view bytes) const {
  if (secrets_.empty()) return false;
  for (std::size_t at = 0; at + gram <= bytes.size(); at += stride_) {
    if (grams_[hash_of_gram(bytes.data() + at)] && occurs_around(bytes, at)) return true;
  }
  return false;
}

bool secret_mask::replace(std::string& text, std::size_t from_length) const {
  bool found = false;
  for (const std::string_view hidden : secrets_) {
    if (hidden.size() < from_length) continue;
    for (std::size_t at = text.find(hidden); at != std::string::npos; at = text.find(hidden, at)) {
      text.replace(at, hidden.size(), in_its_place);
      at += in_its_place.size();
      found = true;
    }
  }
  return found;
}

bool secret_mask::apply(std::string& value) const {
  if (!occurs_in(value)) return false;
  if (std::find(secrets_.begin(), secrets_.end(), value) != secrets_.end()) {
    value = in_its_place;
    return true;
  }
  return replace(value, long_enough);
}

std::string secret_mask::applied_to_all(std::string_view bytes) const {
  std::string text{bytes};
  if (occurs_in(bytes)) replace(text, shortest);
  return text;
}

}  // namespace flanks
