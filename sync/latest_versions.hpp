// Which _ids one round of an answer has, and the last version of each. Pure. Points to transactions
// that must outlive it.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>
#include <vector>

#include "sync/transaction.hpp"

namespace flanks {

class latest_versions {
 public:
  // A place to write the last version of an _id into; null when it is the first.
  using place = const transaction*&;

  // Forgets everything, and makes room for `count` ids.
  void reset(std::size_t count) { slots_.assign(std::bit_ceil(count * 2 + 1), slot{}); }
  // `key`: any hash of the id, always the same one. At most as many different ids as there is room
  // for; one that is not there is added.
  place at(std::string_view id, std::uint64_t key) {
    std::size_t i = key & (slots_.size() - 1);
    while (slots_[i].last != nullptr && (slots_[i].key != key || slots_[i].last->id() != id))
      i = (i + 1) & (slots_.size() - 1);
    slots_[i].key = key;
    return slots_[i].last;
  }

 private:
  struct slot {
    std::uint64_t key = 0;
    const transaction* last = nullptr;
  };
  std::vector<slot> slots_;
};

}  // namespace flanks
