#include "db/unknown_fields.hpp"

#include "db/text_format.hpp"

namespace flanks {

namespace {

// In the order of the key, so that two windows cannot deadlock here. The limit on the table: names
// that a provider makes up for every record are not worth keeping.
constexpr statement write_fields{"upsert_unknown_fields", R"(
insert into flanks.unknown_fields as u (endpoint, path, json_type, count)
select $1, i.path, i.json_type, i.count
from unnest($2::text[], $3::text[], $4::bigint[]) as i(path, json_type, count)
left join flanks.unknown_fields k on k.endpoint = $1 and k.path = i.path and k.json_type = i.json_type
where k.last_seen_at < date_trunc('day', now() at time zone 'UTC') at time zone 'UTC'
  or k.path is null and (select count(*) from flanks.unknown_fields) < 10000
order by i.path collate "C", i.json_type collate "C"
on conflict (endpoint, path, json_type) do update set count = u.count + excluded.count, last_seen_at = now()
where u.last_seen_at < date_trunc('day', now() at time zone 'UTC') at time zone 'UTC')"};

}  // namespace

void unknown_fields::add(const std::vector<unknown_record_field>& fields) {
  for (const unknown_record_field& f : fields) {
    const auto key = std::pair{storable_text(f.path, 256), std::string(f.json_type)};
    const auto at = seen_.find(key);
    if (at != seen_.end()) {
      at->second += f.count;
    } else if (seen_.size() < most) {
      seen_.emplace(key, f.count);
    }
  }
}

std::optional<call> unknown_fields::write(std::string_view endpoint) const {
  if (seen_.empty()) return std::nullopt;
  array_literal paths, types, counts;
  for (const auto& [key, count] : seen_) {
    paths.add(std::string_view(key.first));
    types.add(std::string_view(key.second));
    counts.add(count);
  }
  return call{write_fields, sql_values(endpoint, paths.take(), types.take(), counts.take())};
}

}  // namespace flanks
