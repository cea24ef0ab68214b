#include "tests/sandbox/ledger.hpp"

#include <algorithm>

namespace sandbox {
namespace {

std::uint64_t days_in(const ledger& of) {
  return static_cast<std::uint64_t>((of.to - of.from).count()) + 1;
}

}  // namespace

day ledger::date_of(std::uint64_t ordinal) const {
  return from + std::chrono::days(static_cast<std::int64_t>(ordinal * days_in(*this) / count));
}

std::uint64_t ledger::first_on(day d) const {
  if (d <= from) return 0;
  if (d > to) return count;
  const auto k = static_cast<std::uint64_t>((d - from).count());
  return (k * count + days_in(*this) - 1) / days_in(*this);
}

std::optional<operation> ledger::at(std::uint64_t ordinal) const {
  if (ordinal >= end() || withholds(ordinal)) return std::nullopt;
  operation out{what, number, ordinal, 0, 0, {}, entity};
  const auto found = changed->touched.find(ordinal);
  if (found == changed->touched.end()) {
    out.date = date_of(ordinal);
    return out;
  }
  if (found->second.hidden) return std::nullopt;
  out.version = found->second.version;
  out.id_version = found->second.id_version;
  out.date = found->second.date ? *found->second.date : date_of(ordinal);
  return out;
}

cursor::cursor(ledger of, day_range range) : ledger_(std::move(of)), range_(range) {
  ordinal_ = ledger_.first_on(range.from);
  stop_ = range.to < range.from ? ordinal_ : ledger_.first_on(range.to + std::chrono::days(1));
  beside_ = ledger_.changed->touched.lower_bound(ordinal_);
  dated_ = ledger_.changed->touched.begin();
}

bool cursor::next(operation& out) {
  return next_untouched(out) || next_dated(out);
}

void cursor::fill(operation& out, std::uint64_t ordinal, const touch& t) const {
  out = operation{ledger_.what,  ledger_.number, ordinal,
                  t.version,     t.id_version,   t.date ? *t.date : ledger_.date_of(ordinal),
                  ledger_.entity};
}

bool cursor::next_untouched(operation& out) {
  static constexpr touch none{};
  while (ordinal_ < stop_) {
    const std::uint64_t here = ordinal_++;
    const bool touched = beside_ != ledger_.changed->touched.end() && beside_->first == here;
    const touch& t = touched ? beside_++->second : none;
    if (t.hidden || t.date || ledger_.withholds(here)) continue;
    fill(out, here, t);
    return true;
  }
  return false;
}

bool cursor::next_dated(operation& out) {
  for (; dated_ != ledger_.changed->touched.end(); ++dated_) {
    const auto& [ordinal, t] = *dated_;
    if (t.hidden || !t.date || *t.date < range_.from || *t.date > range_.to) continue;
    if (ledger_.withholds(ordinal)) continue;
    fill(out, ordinal, t);
    ++dated_;
    return true;
  }
  return false;
}

}  // namespace sandbox
