#include "db/quiet_windows.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "db/array_columns.hpp"
#include "db/known_answers.hpp"
#include "db/known_rows.hpp"
#include "db/month_digest.hpp"
#include "db/read_back.hpp"
#include "db/ready_windows.hpp"
#include "db/window_ends.hpp"

namespace flanks {

namespace {

// Of a month that the window has whole the digest; of one that it begins or ends in, the entries.
constexpr statement read_months{"read_ready_windows", R"(
select a.nr::integer, m.month - date '2000-01-01', m.entries is not null, coalesce(m.shown, 0), coalesce(m.digest, ''),
  case when m.month = a.first_part or m.month = a.last_part then coalesce(m.entries, '') else '' end
from unnest($1::bigint[], $2::text[], $3::date[], $4::date[], $5::uuid[], $6::date[], $7::date[], $8::bigint[])
  as a(credential_id, product, first_month, last_month, generation, first_part, last_part, nr)
join flanks_internal.read_back_months m on m.credential_id = a.credential_id and m.product = a.product
  and m.month between a.first_month and a.last_month and m.generation = a.generation)"};

struct stored_month {
  std::int64_t rows;
  std::string digest;
};
using stored_months = std::map<day, stored_month>;

// One of them on its way.
struct candidate {
  explicit candidate(ready_window found)
      : window(std::move(found)), rows(window.state.seed, window.request->scope.days) {
    const auto days = window.request->scope.days;
    if (days.from != read_back::month_of(days.from)) first_part = read_back::month_of(days.from);
    const day after = days.to + std::chrono::days{1};
    if (after != read_back::month_of(after)) last_part = read_back::month_of(days.to);
  }
  [[nodiscard]] bool in_part(day month) const { return month == first_part || month == last_part; }

  ready_window window;
  std::optional<day> first_part, last_part;  // months that the window does not have whole
  known_rows rows;                           // of those
  stored_months stored;                      // of the others
  bool ready = true;
};

void read_ready_months(session& db, std::vector<candidate>& candidates) {
  array_columns asked;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const candidate& c = candidates[i];
    const window_scope& scope = c.window.request->scope;
    asked.add(sql_values(scope.credential, to_string(scope.what),
                         read_back::month_of(scope.days.from), read_back::month_of(scope.days.to),
                         c.window.state.generation, c.first_part, c.last_part,
                         static_cast<std::int64_t>(i)));
  }
  db.fetch(read_months, asked.take(), [&](const session::binary_row& r) {
    candidate& c = candidates.at(static_cast<std::size_t>(r.integer(0)));
    const day month = r.date(1);
    c.ready = c.ready && r.flag(2);
    if (c.in_part(month)) {
      c.rows.add_packed(r.field(5));
    } else if (r.integer(3) > 0) {
      c.stored.emplace(month, stored_month{r.integer(3), std::string(r.field(4))});
    }
  });
}

// Months with the digest of what an answer shows of them. Rows come in the order of their days, or
// nearly so.
class shown_months {
 public:
  explicit shown_months(const stored_months& stored) : stored_(stored) {}

  // False when the months cannot become what is stored any more, whatever comes.
  [[nodiscard]] bool add(day month, const known_rows::row& r) {
    if (last_ == nullptr || month != last_month_) {
      if (last_ != nullptr && !may_become_stored()) return false;
      last_ = &months_[last_month_ = month];
    }
    last_->add(r);
    return true;
  }
  [[nodiscard]] bool are_stored() const {
    return std::equal(months_.begin(), months_.end(), stored_.begin(), stored_.end(),
                      [](const auto& ours, const auto& theirs) {
                        return ours.first == theirs.first && same(ours.second, theirs.second);
                      });
  }

 private:
  static bool same(const month_digest& shown, const stored_month& stored) {
    return shown.count() == stored.rows && shown.bytes() == stored.digest;
  }
  // The last month has fewer rows than are stored, or the very same.
  [[nodiscard]] bool may_become_stored() const {
    const auto at = stored_.find(last_month_);
    return at != stored_.end() && (last_->count() < at->second.rows || same(*last_, at->second));
  }

  const stored_months& stored_;
  std::map<day, month_digest> months_;
  day last_month_{};
  month_digest* last_ = nullptr;
};

// Every record is stored as it came, and nothing that is stored is missing.
bool says_what_is_stored(candidate& c) {
  row_counts counts;
  shown_months shown(c.stored);
  c.rows.seal();
  for (const transaction_batch& batch : c.window.request->answer) {
    counts.fetched += batch.elements();
    for (const transaction& t : batch.transactions) {
      const day on = *day_from(t[column::operation_date]);
      const day month = read_back::month_of(on);
      if (c.in_part(month)) {
        known_rows::row* const row = c.rows.find(t.id());
        if (row == nullptr || row->doubtful() || row->seen() || !(row->content() == t.hash))
          return false;
        row->see(t.hash);
      } else if (!shown.add(month, c.rows.make(t.id(), t.hash, on))) {
        return false;
      }
    }
  }
  if (!c.rows.all_seen() || !shown.are_stored()) return false;
  counts.unchanged = counts.fetched;
  c.window.request->record.counts = counts;
  return true;
}

std::vector<window_request*> compare(session& db, std::span<window_request* const> requests) {
  if (requests.empty()) return {};
  std::vector<candidate> candidates;
  for (ready_window& r : find_ready(db, requests))
    candidates.emplace_back(std::move(r));
  if (!candidates.empty()) read_ready_months(db, candidates);
  std::erase_if(candidates, [](candidate& c) {
    if (!c.ready) return true;
    c.window.request->differs = !says_what_is_stored(c);
    return c.window.request->differs;
  });
  std::vector<const ready_window*> windows;
  for (const candidate& c : candidates)
    windows.push_back(&c.window);
  const auto held = hold_ready(db, windows);
  std::vector<window_request*> quiet;
  for (const ready_window* w : windows)
    if (held.contains(w->request)) quiet.push_back(w->request);
  return quiet;
}

}  // namespace

void settle(session& db, std::span<window_request* const> requests) {
  if (requests.empty()) return;
  const auto begin = std::chrono::steady_clock::now();
  std::vector<window_request*> expected, read;
  for (window_request* r : requests)
    (r->evidence.as_expected ? expected : read).push_back(r);
  std::vector<window_request*> quiet = compare(db, read);
  std::vector<call> words;
  if (!quiet.empty()) words.push_back(known_answers::note(quiet));
  for (window_request* r : known_answers::confirm(db, expected))
    quiet.push_back(r);
  if (quiet.empty()) return;
  const auto took =
      std::chrono::ceil<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
  for (window_request* r : quiet)
    r->record.database_time = took;
  end_together(db, quiet, words);
  db.run_together(words);
  for (window_request* r : quiet)
    r->settled = true;
}

}  // namespace flanks
