// Finds where the elements of one JSON array end, 64 bytes at a time, without understanding them.
// It lets the parser see one whole record at a time: so a bad one can be set aside with its bytes
// while the rest goes on, and memory is bounded by the largest record. It is exact for valid JSON;
// every element is still parsed strictly afterwards, so text that is not JSON is always found out
// there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace flanks {

class element_scanner {
 public:
  static constexpr std::size_t npos = std::string_view::npos;

  // Reads on in an element, which begins just behind the array's '[' or a ','. The offset of the
  // ',' or the bracket that ends it, and the next call begins with the next element; npos when all
  // bytes belong to it, and the next call goes on with it. A bracket that is no ']' means that the
  // text is not JSON.
  std::size_t find_end(std::string_view bytes);

 private:
  struct masks {
    std::uint64_t open = 0;   // { or [ outside of strings
    std::uint64_t close = 0;  // } or ] outside of strings
    std::uint64_t comma = 0;  // outside of strings
  };
  // One block of at most 64 bytes; carries strings and escapes over to the next.
  masks classify(const char* block, std::size_t size);
  // The bit that ends the element; 64 when it goes on.
  std::size_t find_in_block(const masks& m);

  std::int64_t depth_ = 1;  // of brackets; 1 outside of those of the element
  bool in_string_ = false;
  bool escaped_ = false;  // the next byte is escaped by a backslash
};

}  // namespace flanks
