// What the provider's daily refresh does to a credential: a pure function of the seed, the
// credential and how many refreshes it has had.
#include <algorithm>
#include <functional>
#include <unordered_set>

#include "tests/sandbox/world.hpp"

namespace sandbox {
namespace {

// One ledger under change: picks operations at random, none twice in one refresh.
class editor {
 public:
  editor(ledger of, std::uint64_t seed, std::shared_ptr<changes> draft)
      : ledger_(std::move(of)), random_(seed), draft_(std::move(draft)) {
    ledger_.changed = draft_;
  }

  // A visible (or hidden) operation that this refresh has not touched yet.
  std::optional<std::uint64_t> pick(bool hidden) {
    if (hidden) return pick_hidden();
    const auto end = ledger_.end();
    for (std::uint64_t tries = 0; end > 0 && tries < 64; ++tries) {
      const auto ordinal = next() % end;
      if (usable(ordinal)) return use(ordinal);
    }
    for (std::uint64_t ordinal = 0; ordinal < end; ++ordinal)
      if (usable(ordinal)) return use(ordinal);
    return std::nullopt;
  }

  std::uint64_t append(day date) {
    const auto ordinal = ledger_.end();
    ++draft_->added;
    draft_->touched[ordinal].date = date;
    used_.insert(ordinal);
    return ordinal;
  }

  // Hides this part of what is visible; gives the ordinals.
  std::vector<std::uint64_t> lose(double fraction) {
    std::vector<std::uint64_t> visible;
    for (std::uint64_t ordinal = 0; ordinal < ledger_.end(); ++ordinal)
      if (usable(ordinal)) visible.push_back(ordinal);
    const auto wanted = static_cast<std::size_t>(fraction * static_cast<double>(visible.size()));
    for (std::size_t i = 0; i < wanted; ++i) {
      std::swap(visible[i], visible[i + next() % (visible.size() - i)]);
      draft_->touched[visible[i]].hidden = true;
    }
    visible.resize(wanted);
    return visible;
  }

  touch& at(std::uint64_t ordinal) { return draft_->touched[ordinal]; }
  std::uint64_t next() { return random_ = mix(random_); }

  // The operation whether or not it is visible.
  [[nodiscard]] operation describe(std::uint64_t ordinal) const {
    touch t;
    if (const auto found = draft_->touched.find(ordinal); found != draft_->touched.end())
      t = found->second;
    return {ledger_.what,  ledger_.number, ordinal,
            t.version,     t.id_version,   t.date ? *t.date : ledger_.date_of(ordinal),
            ledger_.entity};
  }

 private:
  bool usable(std::uint64_t ordinal) const {
    return !used_.contains(ordinal) && ledger_.at(ordinal).has_value();
  }
  std::uint64_t use(std::uint64_t ordinal) {
    used_.insert(ordinal);
    return ordinal;
  }
  std::optional<std::uint64_t> pick_hidden() {
    for (const auto& [ordinal, t] : draft_->touched)
      if (t.hidden && !used_.contains(ordinal)) return use(ordinal);
    return std::nullopt;
  }

  ledger ledger_;
  std::uint64_t random_;
  std::shared_ptr<changes> draft_;
  std::unordered_set<std::uint64_t> used_;
};

// The n-th of `count` things spread over `rank` of `size` products.
std::uint64_t share(std::uint64_t count, std::size_t rank, std::size_t size) {
  return count / size + (rank < count % size ? 1 : 0);
}

std::string id_of(const generator& data, const operation& which) {
  char id[24];
  data.write_id(which, id);
  return {id, sizeof id};
}

// One refresh of one ledger: the orders in a fixed order, so that the same seed gives the same day.
class refreshing {
 public:
  refreshing(const generator& data, editor edit, const refresh_orders& orders,
             std::function<std::uint64_t(std::uint64_t)> share,
             std::function<void(refresh_event)> say)
      : data_(data),
        edit_(std::move(edit)),
        orders_(orders),
        share_(std::move(share)),
        say_(std::move(say)) {}

  void change_existing(day history_begin) {
    repeat(orders_.reappear, true, "reappeared", [](operation, touch& t) { t.hidden = false; });
    repeat(orders_.correct, false, "corrected", [](operation, touch& t) { ++t.version; });
    repeat(orders_.remove, false, "removed", [](operation, touch& t) { t.hidden = true; });
    repeat(orders_.move_date, false, "moved", [&](const operation& old, touch& t) {
      const auto distance = std::chrono::days(1 + edit_.next() % 5);
      t.date = old.date - history_begin > distance ? old.date - distance : old.date + distance;
    });
    repeat(orders_.renumber, false, "renumbered", [](operation, touch& t) { ++t.id_version; });
    for (const auto ordinal : edit_.lose(orders_.lose_fraction))
      tell("lost", ordinal, {});
  }

  void append(day today, std::uint64_t history_days) {
    for (auto i = share_(orders_.add); i > 0; --i)
      tell("added", edit_.append(today), {});
    // Long ago: before any overlap of some weeks, where there is that much history.
    const auto recent = std::min<std::uint64_t>(45, history_days / 2);
    const auto range = std::max<std::uint64_t>(1, history_days - recent);
    for (auto i = share_(orders_.back_date); i > 0; --i) {
      const auto distance = std::chrono::days(recent + edit_.next() % range);
      tell("back_dated", edit_.append(today - distance), {});
    }
  }

 private:
  template <class Change>
  void repeat(std::uint64_t count, bool hidden, std::string_view kind, Change change) {
    for (auto i = share_(count); i > 0; --i) {
      const auto ordinal = edit_.pick(hidden);
      if (!ordinal) return;
      const operation before = edit_.describe(*ordinal);
      change(before, edit_.at(*ordinal));
      tell(kind, *ordinal, id_of(data_, before));
    }
  }

  void tell(std::string_view kind, std::uint64_t ordinal, std::string previous) {
    refresh_event event;
    event.kind = kind;
    event.id = id_of(data_, edit_.describe(ordinal));
    if (previous != event.id) event.previous_id = std::move(previous);
    say_(std::move(event));
  }

  const generator& data_;
  editor edit_;
  const refresh_orders& orders_;
  std::function<std::uint64_t(std::uint64_t)> share_;  // of a count, what falls to this product
  std::function<void(refresh_event)> say_;
};

}  // namespace

void world::refresh(std::uint32_t n, const refresh_orders& orders,
                    std::vector<refresh_event>& done) {
  credential& one = all_[n];
  const auto yesterday = std::chrono::duration_cast<std::chrono::seconds>(
      (today_ - std::chrono::days(1)).time_since_epoch());
  one.last_update = std::max(one.last_update + orders.advance, yesterday.count());
  ++one.refreshes;
  if (script_of(n) != nullptr) return;
  std::vector<product> products = options_.products;
  if (orders.only) products = {*orders.only};
  const day begin = months_before(today_, options_.months);
  for (std::size_t rank = 0; rank < products.size(); ++rank) {
    const product p = products[rank];
    const ledger before = ledger_of(n, p);
    const auto draft = std::make_shared<changes>(*before.changed);
    refreshing work{
        data_, editor{before, mix(mix(options_.seed, before.number), one.refreshes), draft}, orders,
        [&](std::uint64_t count) { return share(count, rank, products.size()); },
        [&](refresh_event event) {
          event.credential = n;
          event.what = p;
          done.push_back(std::move(event));
        }};
    work.change_existing(before.from);
    work.append(today_, static_cast<std::uint64_t>((today_ - begin).count()));
    if (!draft->touched.empty()) changed_[before.number] = draft;
  }
}

}  // namespace sandbox
