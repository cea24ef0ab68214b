// The operations of one product of one credential: untouched ones follow from the seed, the
// provider's refreshes leave a list of changes. Readers walk a snapshot that later refreshes do not
// disturb.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string_view>

#include "tests/sandbox/data.hpp"
#include "tests/sandbox/script.hpp"

namespace sandbox {

// What happened to one operation since the beginning.
struct touch {
  bool hidden = false;
  std::uint8_t version = 0;
  std::uint8_t id_version = 0;
  std::optional<day> date;  // moved, or added later
};

struct changes {
  std::map<std::uint64_t, touch> touched;  // by ordinal; ordinals from `count` on were added later
  std::uint64_t added = 0;
};

struct ledger {
  product what = product::account;
  std::uint32_t number = 0;
  std::uint64_t count = 0;  // untouched operations, spread evenly over from..to
  day from;
  day to;
  std::string_view entity;
  std::shared_ptr<const changes> changed;
  // Ordinals that this credential does not show, whoever else shows them. Null: none.
  std::shared_ptr<const std::set<std::uint64_t>> withheld;
  // What a test wrote; then there are no operations. Null: nothing.
  std::shared_ptr<const json_texts> scripted;

  [[nodiscard]] day date_of(std::uint64_t ordinal) const;
  // The first untouched ordinal whose date is not before `d`.
  [[nodiscard]] std::uint64_t first_on(day d) const;
  [[nodiscard]] bool withholds(std::uint64_t ordinal) const {
    return withheld != nullptr && withheld->contains(ordinal);
  }
  [[nodiscard]] std::uint64_t end() const { return count + changed->added; }
  // Null when it is hidden or does not exist.
  [[nodiscard]] std::optional<operation> at(std::uint64_t ordinal) const;
};

// The days that a "YYYY-MM-DD" can name.
inline constexpr day first_day{std::chrono::year{1} / 1 / 1};
inline constexpr day last_day{std::chrono::year{9999} / 12 / 31};

// Operation dates, both included.
struct day_range {
  day from;
  day to;
};

// Walks the visible operations of a range: untouched ones by date, then moved and added ones.
class cursor {
 public:
  cursor(ledger of, day_range range);
  // False at the end.
  bool next(operation& out);

 private:
  bool next_untouched(operation& out);
  bool next_dated(operation& out);
  void fill(operation& out, std::uint64_t ordinal, const touch& t) const;

  ledger ledger_;
  day_range range_;
  std::uint64_t ordinal_ = 0;
  std::uint64_t stop_ = 0;
  std::map<std::uint64_t, touch>::const_iterator beside_;  // first touch not before ordinal_
  std::map<std::uint64_t, touch>::const_iterator dated_;
};

}  // namespace sandbox
