#include "db/entities.hpp"

#include "db/pg/text_format.hpp"
#include "db/product_writer.hpp"

namespace flanks::entities {

namespace {

constexpr statement claim_sql{"claim_entities", R"(
update flanks.entity_refresh set attempted_at = now()
where attempted_at < now() - interval '1 hour' and coalesce(succeeded_at < now() - interval '1 day', true))"};

constexpr statement note_success{"entities_stored", R"(
update flanks.entity_refresh set succeeded_at = now(), refused = $1, last_error = nullif($2, ''))"};

constexpr statement note_failure{"entities_failed", R"(
update flanks.entity_refresh set last_error = $1)"};

}  // namespace

bool claim(pg_connection& db) {
  return db.run(claim_sql).affected_rows() == 1;
}

void store(pg_connection& db, const product_batch& batch) {
  std::int64_t refused = 0;
  std::string why;
  for (const rejected_record& r : batch.rejected) {
    if (r.stored_anyway) continue;
    ++refused;
    if (why.empty()) why = storable_text(r.reason + ": " + r.detail, 500);
  }
  db.begin();
  (void)products::upsert(db, "entities", entity_columns(), std::nullopt, batch.records);
  db.run(note_success, sql_values(refused, why));
  db.commit();
}

void fail(pg_connection& db, const std::string& error) {
  db.run(note_failure, sql_values(storable_words(error)));
}

}  // namespace flanks::entities
