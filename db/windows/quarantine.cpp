#include "db/windows/quarantine.hpp"

#include "db/pg/text_format.hpp"

namespace flanks::quarantine {

namespace {

// `beyond`: one row a reason, told by its bytes, counts what is not kept. Reading the same answer
// again, on whatever day, finds the same number.
constexpr statement write_records{"write_quarantine", R"(
with asked as (
  select distinct on (u.reason, u._id, u.raw) u.*, sha256(u.raw) as hash
  from unnest($5::text[], $6::text[], $7::text[], $8::bytea[], $9::boolean[], $10::boolean[])
    as u(reason, detail, _id, raw, truncated, stored_anyway)),
known as (
  select q.quarantine_id, q.resolved_at is not null as resolved, a.reason, a._id, a.hash
  from asked a join flanks.quarantine q on q.credential_id = $1 and q.product = $2 and q.reason = a.reason and q._id = a._id
    and q.raw_sha256 = a.hash),
reopened as (
  update flanks.quarantine q set resolved_at = null, resolved_sync_run_id = null, last_sync_run_id = $4, last_seen_at = now()
  from known k where k.resolved and q.quarantine_id = k.quarantine_id),
kept as (
  select q.reason, count(*) as rows from flanks.quarantine q
  where q.credential_id = $1 and q.product = $2 and q.reason = any ($5::text[])
    and (q.resolved_at is null or q.first_seen_at >= date_trunc('day', now() at time zone 'UTC') at time zone 'UTC')
  group by q.reason),
fresh as (
  select a.*, row_number() over (partition by a.reason order by a._id, a.hash) + coalesce(k.rows, 0) <= $13 as fits
  from asked a left join kept k using (reason)
  where not exists (select from known n where n.reason = a.reason and n._id = a._id and n.hash = a.hash)),
written as (
  insert into flanks.quarantine (credential_id, product, part, reason, detail, _id, raw, truncated, stored_anyway,
    first_sync_run_id, last_sync_run_id, window_from, window_to)
  select $1, $2, $3, f.reason, f.detail, f._id, f.raw, f.truncated, f.stored_anyway, $4, $4, $11, $12 from fresh f where f.fits
  on conflict do nothing returning quarantine_id),
beyond as (
  insert into flanks.quarantine as q (credential_id, product, part, reason, detail, _id, raw, truncated, stored_anyway,
    first_sync_run_id, last_sync_run_id, window_from, window_to, records)
  select $1, $2, $3, f.reason, 'more records of this reason came than are kept (limits.quarantine_per_day)', '',
    convert_to('(beyond the limit)', 'UTF8'), true, bool_and(f.stored_anyway), $4, $4, $11, $12, count(*)
  from fresh f where not f.fits group by f.reason
  on conflict (credential_id, product, reason, _id, raw_sha256) do update set
    records = case when q.last_sync_run_id = excluded.last_sync_run_id then q.records + excluded.records
      else greatest(q.records, excluded.records) end,
    resolved_at = null, resolved_sync_run_id = null, last_sync_run_id = excluded.last_sync_run_id, last_seen_at = now()
    where q.resolved_at is not null or q.last_sync_run_id = excluded.last_sync_run_id or q.records < excluded.records
  returning quarantine_id)
select quarantine_id from known union all select quarantine_id from written union all select quarantine_id from beyond)"};

constexpr statement read_open_records{"read_open_quarantine", R"(
select quarantine_id, _id from flanks.quarantine
where credential_id = $1 and product = $2 and part = $3 and resolved_at is null)"};

constexpr statement resolve_records{"resolve_quarantine", R"(
update flanks.quarantine set resolved_at = now(), resolved_sync_run_id = $2
where quarantine_id = any ($1::bigint[]) and resolved_at is null)"};

constexpr statement resolve_clean_days{"resolve_clean_quarantine", R"(
update flanks.quarantine q set resolved_at = now(), resolved_sync_run_id = $3
from flanks.coverage c
where q.credential_id = $1 and q.product = $2 and q.part = 'transactions' and q.resolved_at is null and not q.stored_anyway
  and c.credential_id = $1 and c.product = $2 and not c.unclean && daterange(q.window_from, q.window_to, '[]'))"};

}  // namespace

std::vector<std::int64_t> write(pg_connection& db, const list& where,
                                std::span<const rejected_record> rejected) {
  std::vector<std::int64_t> ids;
  if (rejected.empty()) return ids;
  array_literal reasons, details, record_ids, raws, cut, stored;
  for (const rejected_record& r : rejected) {
    const std::string reason = storable_text(r.reason, 100), detail = storable_text(r.detail, 500),
                      id = storable_text(r.id, 256);
    reasons.add(std::string_view(reason));
    details.add(std::string_view(detail));
    record_ids.add(std::string_view(id));
    raws.add_bytes(r.raw);
    cut.add(std::string_view(r.truncated ? "t" : "f"));
    stored.add(std::string_view(r.stored_anyway ? "t" : "f"));
  }
  std::optional<day> from, to;
  if (where.days) from = where.days->from, to = where.days->to;
  const sql_values values(where.credential, where.product, where.part, where.run, reasons.take(),
                          details.take(), record_ids.take(), raws.take(), cut.take(), stored.take(),
                          from, to, where.limit);
  for (const auto& row : db.run(write_records, values))
    ids.push_back(row[0].as<std::int64_t>());
  return ids;
}

void open_records::load(pg_connection& db, credential_id credential, std::string_view product,
                        std::string_view part) {
  for (const auto& row : db.run(read_open_records, sql_values(credential, product, part))) {
    records_.push_back({row[0].as<std::int64_t>(), row[1].c_str()});
    ids_.insert(records_.back().record_id);
  }
}

void open_records::came(std::string_view id) {
  if (!ids_.empty() && ids_.contains(std::string(id))) came_.emplace(id);
}

void open_records::refused(std::string_view id) {
  if (!came_.empty()) came_.erase(std::string(id));
}

std::vector<std::int64_t> open_records::stored() const {
  std::vector<std::int64_t> ids;
  for (const open_record& open : records_)
    if (!met_.contains(open.id) && came_.contains(open.record_id)) ids.push_back(open.id);
  return ids;
}

std::vector<std::int64_t> open_records::not_met() const {
  std::vector<std::int64_t> ids;
  for (const open_record& open : records_)
    if (!met_.contains(open.id)) ids.push_back(open.id);
  return ids;
}

call resolve(std::span<const std::int64_t> ids, const std::string& run) {
  array_literal list;
  for (const std::int64_t id : ids)
    list.add(id);
  return {resolve_records, sql_values(list.take(), run)};
}

call resolve_clean(credential_id credential, std::string_view product, const std::string& run) {
  return {resolve_clean_days, sql_values(credential, product, run)};
}

}  // namespace flanks::quarantine
