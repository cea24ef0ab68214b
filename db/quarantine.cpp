#include "db/quarantine.hpp"

#include "db/text_format.hpp"

namespace flanks {

namespace {

constexpr statement write_rejected{"upsert_quarantine", R"(
insert into flanks.quarantine (credential_id, product, reason, detail, _id, raw, truncated, stored_anyway,
  first_sync_run_id, last_sync_run_id, part)
select $1, $2, i.reason, i.detail, i._id, i.raw, i.truncated, i.stored_anyway, $3, $3, $10
from (select distinct on (u.reason, u._id, u.raw) u.*
  from unnest($4::text[], $5::text[], $6::text[], $7::bytea[], $8::boolean[], $9::boolean[])
    as u(reason, detail, _id, raw, truncated, stored_anyway)) i
on conflict (credential_id, product, reason, _id, raw_sha256)
do update set last_sync_run_id = excluded.last_sync_run_id, last_seen_at = now())"};

}  // namespace

void quarantine(session& db, credential_id credential, std::string_view product,
                std::string_view part, const std::string& run,
                std::span<const rejected_record> rejected) {
  if (rejected.empty()) return;
  array_literal reasons, details, ids, raws, cut, stored;
  for (const rejected_record& r : rejected) {
    const std::string reason = storable_text(r.reason, 100), detail = storable_text(r.detail, 500),
                      id = storable_text(r.id, 256);
    reasons.add(std::string_view(reason));
    details.add(std::string_view(detail));
    ids.add(std::string_view(id));
    raws.add_bytes(r.raw);
    cut.add(std::string_view(r.truncated ? "t" : "f"));
    stored.add(std::string_view(r.stored_anyway ? "t" : "f"));
  }
  db.run(write_rejected, sql_values(credential, product, run, reasons.take(), details.take(),
                                    ids.take(), raws.take(), cut.take(), stored.take(), part));
}

}  // namespace flanks
