// Finds where the elements of one JSON array end, 64 bytes at a time, without understanding them.
// It lets the parser see one whole record at a time: so a bad one can be set aside with its bytes
// while the rest goes on, and memory is bounded by the largest record. It is exact for valid JSON;
// every element is still parsed strictly afterwards, so text that is not JSON is always found out
// there.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace flanks {

class element_scanner {
 public:
  // Reads on, from just behind the array's '['. Calls at(offset) for every ',' and for the ']' of
  // the array itself and stops behind that ']'. Returns how many bytes were read: all, or up to and
  // with the ']'.
  template <class At>
  std::size_t scan(std::string_view bytes, At&& at);

  [[nodiscard]] bool closed() const { return depth_ == 0; }

 private:
  struct masks {
    std::uint64_t open = 0;   // { or [ outside of strings
    std::uint64_t close = 0;  // } or ] outside of strings
    std::uint64_t comma = 0;  // outside of strings
  };
  // One block of at most 64 bytes; carries strings and escapes over to the next.
  masks classify(const char* block, std::size_t size);

  std::int64_t depth_ = 1;  // of brackets; 1 between the elements
  bool in_string_ = false;
  bool escaped_ = false;  // the next byte is escaped by a backslash
};

template <class At>
std::size_t element_scanner::scan(std::string_view bytes, At&& at) {
  for (std::size_t start = 0; start < bytes.size(); start += 64) {
    const masks m = classify(bytes.data() + start, bytes.size() - start);
    if (depth_ > 1) {  // inside of an element, as most blocks are
      if ((m.open | m.close) == 0) continue;
      const int closing = std::popcount(m.close);
      if (depth_ - closing > 1) {
        depth_ += std::popcount(m.open) - closing;
        continue;
      }
    }
    for (std::uint64_t left = m.open | m.close | m.comma; left != 0; left &= left - 1) {
      const std::uint64_t bit = left & (~left + 1);
      const std::size_t offset = start + static_cast<std::size_t>(std::countr_zero(bit));
      if ((bit & m.open) != 0) {
        ++depth_;
      } else if ((bit & m.comma) != 0) {
        if (depth_ == 1) at(offset);
      } else if (--depth_ == 0) {
        at(offset);
        return offset + 1;
      }
    }
  }
  return bytes.size();
}

}  // namespace flanks
