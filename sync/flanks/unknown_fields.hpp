// Which fields of records have no column and are not in the API contract: a small set with counts,
// so that operators learn when Flanks adds a field (flanks.unknown_fields). Bounded: a provider
// that makes up names cannot grow it.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sync/transaction.hpp"

namespace flanks {

class unknown_tally {
 public:
  static constexpr std::size_t most = 64;      // different ones; what comes after is not noted
  static constexpr std::size_t longest = 200;  // bytes of a name; a longer one is not noted

  // Records show their fields in the same order: the one after the last is looked at first.
  void note(std::string_view path, std::string_view json_type) {
    if (next_ < seen_.size() && is(seen_[next_], path, json_type)) {
      ++seen_[next_++].count;
      return;
    }
    const auto at = std::find_if(seen_.begin(), seen_.end(), [&](const unknown_record_field& f) {
      return is(f, path, json_type);
    });
    next_ = static_cast<std::size_t>(at - seen_.begin()) + 1;
    if (at != seen_.end()) {
      ++at->count;
    } else if (seen_.size() < most && path.size() <= longest) {
      seen_.push_back({std::string(path), json_type, 1});
    }
  }
  void begin_record() { next_ = 0; }
  // Gives what was noted since the last call.
  [[nodiscard]] std::vector<unknown_record_field> take() { return std::exchange(seen_, {}); }

 private:
  static bool is(const unknown_record_field& f, std::string_view path, std::string_view type) {
    // Types are literals: usually the very same one.
    return f.path == path && (f.json_type.data() == type.data() || f.json_type == type);
  }

  std::vector<unknown_record_field> seen_;
  std::size_t next_ = 0;
};

}  // namespace flanks
