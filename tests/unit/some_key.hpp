// A content key for tests that need any.
#pragma once

#include <string>

#include "sync/transaction.hpp"

namespace flanks {

inline const content_key& some_key() {
  static const content_key key = [] {
    std::string bytes;
    std::uint64_t state = 0x5eed;
    while (bytes.size() < content_key::size) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      bytes += static_cast<char>(state >> 56);
    }
    return content_key(bytes);
  }();
  return key;
}

}  // namespace flanks
