#include "db/windows/unknown_fields.hpp"

#include "db/pg/text_format.hpp"

namespace flanks {

namespace {

// In the order of the key, so that two windows cannot deadlock here. Names that a provider makes up
// for every record are not worth keeping: what comes beyond the limit is told in a row of its own.
constexpr statement write_fields{"upsert_unknown_fields", R"(
with today as (select date_trunc('day', now() at time zone 'UTC') at time zone 'UTC' as begun),
asked as (
  select i.*, k.last_seen_at, count(*) filter (where k.path is null) over (order by i.path collate "C", i.json_type collate "C")
      + (select count(*) from flanks.unknown_fields u, today where u.first_seen_at >= today.begun) as nr
  from unnest($2::text[], $3::text[], $4::bigint[]) as i(path, json_type, count)
  left join flanks.unknown_fields k on k.endpoint = $1 and k.path = i.path and k.json_type = i.json_type),
taken as (
  select a.path, a.json_type, a.count from asked a where a.last_seen_at is not null or a.nr <= $5
  union all
  select '(more than limits.unknown_fields_per_day)', 'any', sum(a.count) from asked a
  where a.last_seen_at is null and a.nr > $5 having count(*) > 0)
insert into flanks.unknown_fields as u (endpoint, path, json_type, count)
select $1, t.path, t.json_type, t.count
from taken t
left join flanks.unknown_fields k on k.endpoint = $1 and k.path = t.path and k.json_type = t.json_type
where k.path is null or k.last_seen_at < (select begun from today)
order by t.path collate "C", t.json_type collate "C"
on conflict (endpoint, path, json_type) do update set count = u.count + excluded.count, last_seen_at = now()
where u.last_seen_at < (select begun from today))"};

}  // namespace

void unknown_fields::add(const std::vector<unknown_record_field>& fields) {
  for (const unknown_record_field& f : fields)
    add({storable_text(f.path, 256), std::string(f.json_type)}, f.count);
}

void unknown_fields::add(const unknown_fields& others) {
  for (const auto& [which, records] : others.seen_)
    add(which, records);
}

void unknown_fields::add(const key& which, std::int64_t records) {
  const auto at = seen_.find(which);
  if (at != seen_.end()) {
    at->second += records;
  } else if (seen_.size() < most) {
    seen_.emplace(which, records);
  }
}

std::optional<call> unknown_fields::write(std::string_view endpoint, int limit) const {
  if (seen_.empty()) return std::nullopt;
  array_literal paths, types, counts;
  for (const auto& [which, records] : seen_) {
    paths.add(std::string_view(which.first));
    types.add(std::string_view(which.second));
    counts.add(records);
  }
  return call{write_fields, sql_values(endpoint, paths.take(), types.take(), counts.take(), limit)};
}

}  // namespace flanks
