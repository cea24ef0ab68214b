// Our own secrets in what the provider sends: it may repeat a token under another name
// ("connection_id"), and no table may hold one. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sync/secret.hpp"

namespace flanks {

class secret_mask {
 public:
  static constexpr std::string_view in_its_place = "***";
  static constexpr std::size_t shortest = 4;      // bytes; a shorter one is found in any text
  static constexpr std::size_t long_enough = 12;  // to be found inside of a longer text too

  secret_mask() = default;  // of none
  // The secrets must outlive it.
  explicit secret_mask(const std::vector<const secret*>& secrets);

  // Whether one stands in `bytes` as it is. A fraction of the time that parsing them takes.
  [[nodiscard]] bool occurs_in(std::string_view bytes) const;
  // Masks a value that is one, and every long one inside of it. True when there was one.
  bool apply(std::string& value) const;
  // Masks each one, wherever it stands.
  [[nodiscard]] std::string applied_to_all(std::string_view bytes) const;

 private:
  static constexpr std::size_t gram = 4;  // bytes
  [[nodiscard]] static std::uint16_t hash_of_gram(const char* at);
  [[nodiscard]] bool occurs_around(std::string_view bytes, std::size_t at) const;
  bool replace(std::string& text, std::size_t from_length) const;

  std::vector<std::string_view> secrets_;
  std::size_t stride_ = 0, longest_ = 0;
  std::vector<bool> grams_;  // by hash: some secret holds it
};

}  // namespace flanks
