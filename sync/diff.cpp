#include "sync/diff.hpp"

#include <fmt/format.h>

namespace flanks {

window_diff::window_diff(credential_id owner, product what, window days, fingerprint_set& stored,
                         bool by_values)
    : owner_(owner),
      what_(what),
      first_day_(to_string(days.from)),
      last_day_(to_string(days.last_day())),
      last_day_shown_(to_string(days.to)),
      rhythm_(days),
      stored_(stored),
      by_values_(by_values) {}

void window_diff::add(const transaction_batch& batch) {
  counts_.fetched += batch.elements();
  for (const transaction& t : batch.transactions) {
    pending_.push_back(&t);
    const std::string_view on = t[column::operation_date];
    rhythm_.add(on);
    if (on < first_day_ || on > last_day_) {
      shown_for_later_.emplace_back(t.id());
    } else if (on > last_day_shown_) {
      last_day_shown_ = on;
    }
  }
  for (const rejected_record& r : batch.rejected) {
    ++(r.stored_anyway ? counts_.warnings : counts_.quarantined);
    if (!r.stored_anyway) note_shown(r.id);
  }
}

// The first version of every _id is compared; later ones that differ from the one before wait for
// the next round.
change_set window_diff::next_round() {
  change_set changes;
  latest_.reset(pending_.size());
  replayed_.clear();
  std::vector<const transaction*> first, later;
  first.reserve(pending_.size());
  for (const transaction* t : pending_) {
    latest_versions::place last = latest_.at(t->id(), stored_.short_key_of(t->id()));
    if (last == nullptr) {
      first.push_back(last = t);
    } else if (last->hash == t->hash) {
      ++counts_.duplicates;
    } else {
      later.push_back(last = t);
    }
  }
  pending_ = std::move(later);
  for (const transaction* t : first)
    compare(*t, changes);
  return changes;
}

void window_diff::compare(const transaction& t, change_set& changes) {
  const std::size_t i = stored_.index_of(t.id());
  if (i == fingerprint_set::none) {
    changes.inserts.push_back(&t);
    return;
  }
  const fingerprint& row = stored_.at(i);
  // An answer that ends with the stored version has been here before, and the versions before it
  // are revisions already: to write them again would be a write with every replay (P2).
  const bool again = !row.seen() && !row.joint() && stored_.says(i, last_version_of(t));
  if ((again || stored_.says(i, t)) && !row.gone()) {
    ++(row.seen() ? counts_.duplicates : counts_.unchanged);
    if (again) replayed_.insert(t.id());
    stored_.see(i, row.content());
  } else if (row.joint()) {
    changes.lookups.push_back(&t);
  } else {
    changes.updates.push_back({&t, row.seen(), &row});
    stored_.see(i, t.hash);
  }
}

bool window_diff::has_more() {
  if (!replayed_.empty()) {
    counts_.duplicates += static_cast<std::int64_t>(
        std::erase_if(pending_, [&](const transaction* t) { return replayed_.contains(t->id()); }));
    replayed_.clear();
  }
  return !pending_.empty();
}

const transaction& window_diff::last_version_of(const transaction& t) {
  return *latest_.at(t.id(), stored_.short_key_of(t.id()));
}

void window_diff::resolve(const transaction& t, const stored_row& stored, change_set& changes) {
  const bool mine = stored.credential == owner_;
  const bool my_product = stored.product_name == to_string(what_);
  const bool first_time = seen_elsewhere_.insert(stored_.short_key_of(t.id())).second;
  const bool repeated = !first_time || (mine && stored.touched);
  const bool again = mine && !repeated && last_version_of(t).hash == stored.content;
  const bool equal = again || stored.content == t.hash;
  // A row that is removed, or whose owner shows nothing any more, goes to whoever shows it. A
  // removed row of another product moves to the one that shows it now.
  const bool orphaned = stored.owner_absent || stored.removed;
  const bool free = mine ? my_product || stored.removed : orphaned;
  const bool in_place = equal && !(mine ? stored.removed : orphaned);
  shows_others_ = shows_others_ || (mine ? !my_product : !stored.sighted);
  if (in_place && by_values_ && mine && my_product && !repeated) {
    // Its values were not loaded: the database compares them, and writes only what differs.
    if (again) replayed_.insert(t.id());
    const transaction& last = again ? last_version_of(t) : t;
    moved_.insert(stored.on);
    moved_.insert(*day_from(last[column::operation_date]));
    changes.updates.push_back({&last, false, nullptr});
  } else if (in_place) {
    ++(repeated ? counts_.duplicates : counts_.unchanged);
    if (again) replayed_.insert(t.id());
    if (!mine && !stored.sighted) changes.sightings.push_back(&t);
  } else if (free) {
    if (!mine || !my_product) taken_from_.emplace(stored.credential, stored.product_name);
    moved_.insert(stored.on);
    moved_.insert(*day_from(t[column::operation_date]));
    changes.updates.push_back({&t, repeated, nullptr});
  } else if (mine) {
    changes.conflicts.push_back(
        {&t, "product_conflict",
         fmt::format("stored with other content as {} of the same credential",
                     stored.product_name)});
  } else {
    changes.conflicts.push_back(
        {&t, "joint_conflict",
         fmt::format("stored with other content through credential {}", stored.credential.value)});
  }
}

void window_diff::updated(const row_update& u, bool differs) {
  if (u.repeated) {
    ++counts_.duplicates;
  } else {
    ++(differs ? counts_.updated : counts_.unchanged);
  }
}

void window_diff::refused(const transaction& t) {
  ++counts_.quarantined;
  shown_for_later_.emplace_back(t.id());
}

bool window_diff::shown(std::string_view id) const {
  const fingerprint* const row = stored_.find(id);
  if (row != nullptr && row->seen()) return true;
  const std::uint64_t key = stored_.short_key_of(id);
  return seen_elsewhere_.contains(key) || shown_besides_.contains(key);
}

void window_diff::note_shown(std::string_view id) {
  if (id.empty()) {
    ++unreadable_;
  } else {
    shown_besides_.insert(stored_.short_key_of(id));
    shown_for_later_.emplace_back(id);
  }
}

}  // namespace flanks
