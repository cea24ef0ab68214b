// When a row that the provider no longer shows counts as removed (design, promise P5). Pure
// decisions: values in, values out. What is written about it is in db/removals.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sync/policy.hpp"
#include "sync/types.hpp"

namespace flanks {

// The days of `asked` about which a whole answer proves what is not there. None when the status
// that was asked before says that the provider's data is not to be trusted (pending, errored).
// Without the days that the provider may have stopped showing because they are too old: its day and
// its idea of the beginning of history may differ from ours by `history_margin`.
inline constexpr std::chrono::days history_margin{2};
[[nodiscard]] std::optional<window> provable_days(const credential_status& status, product what,
                                                  window asked, window history);

// Rows that were stored and that no answer has shown, over the windows of one piece of work that
// the provider made us split. A row whose day moves from one part to another while they are fetched
// is shown by one of them at least once the last part is in: so only then anything is decided.
struct absent_rows {
  std::vector<std::string> ids;
  std::int64_t stored = 0;      // rows that were there, shown or not
  bool empty_answer = false;    // a part was empty where rows are stored
  std::int64_t unreadable = 0;  // records without a usable _id: any of them may be an absent row
  // _ids that a part has shown, but not as rows of its own days: stored on another part's day, or
  // in quarantine. No later part may take them for absent.
  std::vector<std::string> shown;
  std::string
      since;  // when the first part was written, by the database's clock; empty: by this one

  // No part has left anything to look for.
  [[nodiscard]] bool none() const {
    return ids.empty() && shown.empty() && !empty_answer && unreadable == 0;
  }
};

// What is known when the last part is in.
struct removal_facts {
  std::int64_t stored = 0;        // rows that were there
  std::int64_t fresh = 0;         // absent, and no person has been asked yet
  std::int64_t under_review = 0;  // absent, and a person has been asked but has not answered
  bool empty_answer = false;
  std::int64_t unreadable = 0;
};

enum class removal_verdict : std::uint8_t {
  nothing,   // nothing to do
  withhold,  // nothing is removed: the answer may hold the rows in records that cannot be read
  remove,    // the fresh ones are removed; those under review stay under review
  review,    // nothing is removed; the fresh ones join those under review
};
struct removal_decision {
  removal_verdict what = removal_verdict::nothing;
  std::string_view reason = "";  // of review: "empty_answer", "too_many"
  bool suspicious = false;       // a person must look
};
[[nodiscard]] removal_decision decide_removal(const removal_facts& facts,
                                              const removal_limits& limits);

}  // namespace flanks
