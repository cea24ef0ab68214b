#include "db/product_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "db/leases.hpp"
#include "db/pg/savepoints.hpp"
#include "db/pg/text_format.hpp"
#include "db/transaction_sql.hpp"
#include "db/windows/quarantine.hpp"
#include "db/windows/run_log.hpp"
#include "sync/error_class.hpp"

namespace flanks::products {

namespace {

// Believed: another refresh than the doubted one says the same; where the provider tells no times,
// a day later.
constexpr statement read_facts{"open_products", R"(
select exists (select from flanks.quarantine q
    where q.credential_id = $1 and q.product = $2 and q.part = 'products' and q.resolved_at is null),
  coalesce((select coalesce($3::timestamptz <> c.doubted_at, now() > c.doubted_at + interval '1 day')
    from flanks.product_coverage c where c.credential_id = $1 and c.product = $2), false))"};

constexpr statement write_coverage{"write_product_coverage", R"(
insert into flanks.product_coverage as c (credential_id, product, provider_seen_at, last_success_at, outcome, reason, doubted_at)
values ($1, $2, case when $4 in ('ok', 'partial') then least($3::timestamptz, now() + interval '1 minute') end,
  case when $4 in ('ok', 'partial', 'suspicious') then clock_timestamp() end, $4, nullif($5, ''),
  case when $4 = 'suspicious' then coalesce($3::timestamptz, now()) end)
on conflict (credential_id, product) do update set
  provider_seen_at = coalesce(excluded.provider_seen_at, c.provider_seen_at),
  last_success_at = coalesce(excluded.last_success_at, c.last_success_at),
  outcome = excluded.outcome, reason = excluded.reason,
  doubted_at = case when excluded.outcome = 'suspicious' then coalesce(c.doubted_at, excluded.doubted_at)
    when excluded.outcome in ('ok', 'partial') then null else c.doubted_at end
where excluded.last_success_at is not null or (c.outcome, c.reason) is distinct from (excluded.outcome, excluded.reason))"};

constexpr statement write_run{"insert_product_run", R"(
insert into flanks.product_runs (product_run_id, run_id, trigger, credential_id, product, outcome,
  fetched, inserted, updated, unchanged, duplicates, removed, quarantined, warnings,
  error_class, error_stage, error_message, error_hint, http_status, provider_code, trace_id,
  response_bytes, provider_updated_at, started_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
  nullif($15, ''), nullif($16, ''), nullif($17, ''), nullif($18, ''), nullif($19::integer, 0), nullif($20, ''), nullif($21, ''),
  $22, $23, $24)
on conflict (product_run_id) do nothing)"};

constexpr statement find_real_accounts{"find_real_accounts", R"(
select flanks_internal.find_real_accounts($1, $2, $3::text[]) where exists (select from flanks_internal.identifiable_products
  where credential_id = $1 and product = $2 and real_account_id is null and removed_at is null))"};

// What a product is known by as the same real account (migrations: real_accounts). When it changes,
// the real account is looked for anew.
constexpr std::array<std::string_view, 4> identifying{"external_id", "iban", "pan", "entity"};

bool is_identifiable(std::span<const table_column> columns) {
  return find_column(columns, "external_id").has_value();
}

std::string reset_real_account(std::span<const table_column> columns) {
  if (!is_identifiable(columns)) return {};
  std::string old, fresh;
  for (const std::string_view name : identifying) {
    if (!find_column(columns, name)) continue;
    old += fmt::format("{}p.{}", old.empty() ? "" : ", ", name);
    fresh += fmt::format("{}excluded.{}", fresh.empty() ? "" : ", ", name);
  }
  return fmt::format(
      "real_account_id = case when ({}) is not distinct from ({}) then p.real_account_id end, ",
      old, fresh);
}

// The names come from sync/product.cpp, never from the provider.
std::string upsert_text(std::string_view table, std::span<const table_column> columns, bool owned) {
  std::string names, sources, casts, sets, old, fresh;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const table_column& c = columns[i];
    const std::string_view comma = i == 0 ? "" : ", ";
    names += fmt::format("{}{}", comma, c.name);
    sources += fmt::format("{}${}::text[]", comma, i + (owned ? 2 : 1));
    casts += fmt::format("{}i.{}::{}", comma, c.name, sql_type(c.type));
    if (i == 0) continue;
    const std::string_view next = i == 1 ? "" : ", ";
    sets += fmt::format("{} = excluded.{}, ", c.name, c.name);
    old += fmt::format("{}p.{}", next, c.name);
    fresh += fmt::format("{}excluded.{}", next, c.name);
  }
  const std::string_view key = columns.front().name;
  return fmt::format(
      "insert into flanks.{0} as p ({1}{2}) select {3}{4} from unnest({5}) as i({2}) order by "
      "i.{6} "
      "on conflict ({1}{6}) do update set {7}updated_at = now(){8} "
      "where ({9}) is distinct from ({10}){11} returning p.{6}",
      table, owned ? "credential_id, " : "", names, owned ? "$1::bigint, " : "", casts, sources,
      key, sets + reset_real_account(columns), owned ? ", removed_at = null" : "", old, fresh,
      owned ? " or p.removed_at is not null" : "");
}

class list_writer {
 public:
  list_writer(pg_connection& db, const product_batch& batch, product_run& run, std::string run_id,
              bool has_open_quarantine)
      : db_(db),
        batch_(batch),
        run_(run),
        run_id_(std::move(run_id)),
        table_(table_of(run.what)),
        columns_(columns_of(run.what)),
        rejected_(batch.rejected),
        has_open_quarantine_(has_open_quarantine) {}

  // `doubted_before`: an earlier refresh of the provider said the same.
  void write(bool doubted_before, const removal_limits& limits) {
    read_known();
    write_rows(batch_.records);
    if (!written_.empty() && is_identifiable(columns_))
      db_.run(find_real_accounts,
              sql_values(run_.credential, to_string(run_.what), shown_at_once()));
    count();
    remove_vanished(doubted_before, limits);
    write_balances();
    write_quarantine();
  }

 private:
  void read_known() {
    const std::string text =
        fmt::format("select {0}, removed_at is null from flanks.{1} where credential_id = $1",
                    columns_.front().name, table_);
    for (const auto& r :
         db_.run(statement{"load_products", text.c_str()}, sql_values(run_.credential))) {
      const bool current = r[1].as<bool>();
      known_.emplace(r[0].c_str(), current);
      if (current) ++current_;
    }
  }

  void write_rows(std::span<const product_record> records) {
    write_in_halves(
        db_, records,
        [&](std::span<const product_record> part) {
          for (std::string& id : upsert(db_, table_, columns_, run_.credential, part))
            written_.insert(std::move(id));
          for (const product_record& record : part)
            shown_.insert(record.id());
        },
        [](auto&&...) { return false; },
        [&](const product_record& record, const sql_problem& problem) {
          refuse(record, refusal_words(problem));
        });
  }

  void refuse(const product_record& record, std::string why) {
    rejected_record r;
    r.reason = "refused_by_database";
    r.detail = std::move(why);
    r.id = record.id();
    r.raw = record.raw.substr(0, rejected_record::raw_limit);
    r.truncated = record.raw.size() > r.raw.size();
    rejected_.push_back(std::move(r));
  }

  void count() {
    row_counts& n = run_.counts;
    n.fetched = batch_.elements();
    n.duplicates = batch_.duplicates;
    for (const std::string& id : shown_) {
      if (!written_.contains(id)) {
        ++n.unchanged;
      } else {
        ++(known_.contains(id) ? n.updated : n.inserted);
      }
    }
    for (const rejected_record& r : rejected_)
      ++(r.stored_anyway ? n.warnings : n.quarantined);
    if (n.quarantined > 0) run_.outcome = outcome::partial;
    if (n.adds_up()) return;
    throw failure(
        stage::commit, verdict::later, "counts_do_not_add_up",
        fmt::format("credential {}: {} {} came, but {} inserted, {} updated, {} unchanged, "
                    "{} duplicates and {} quarantined were counted; nothing was stored",
                    run_.credential.value, n.fetched, table_, n.inserted, n.updated, n.unchanged,
                    n.duplicates, n.quarantined));
  }

  void remove_vanished(bool doubted_before, const removal_limits& limits) {
    removal_facts facts;
    facts.stored = current_;
    facts.fresh = std::count_if(known_.begin(), known_.end(), [&](const auto& row) {
      return row.second && !shown_.contains(row.first);
    });
    // A list that was full is rarely empty the next day.
    facts.empty_answer = shown_.empty();
    facts.unreadable = proves_absence() ? 0 : 1;
    if (facts.fresh > 0 && batch_.rested_connection)
      throw unconfirmed_answer(run_.credential, table_);
    switch (decide_removal(facts, limits).what) {
      case removal_verdict::remove:
        mark_vanished();
        break;
      case removal_verdict::review:
        if (doubted_before) return mark_vanished();
        run_.outcome = outcome::suspicious;
        run_.error_class = "too_much_vanished";
        run_.error_hint = hint_of(run_.error_class);
        run_.error_message = fmt::format(
            "{} of {} {} are missing from the provider's answer; none was marked as removed until "
            "a later refresh of the provider says the same",
            facts.fresh, current_, table_);
        break;
      case removal_verdict::nothing:
      case removal_verdict::withhold:
        break;
    }
  }

  [[nodiscard]] std::string shown_ids() const {
    array_literal ids;
    for (const std::string& id : shown_)
      ids.add(std::string_view{id});
    return ids.take();
  }

  // What the provider shows now. Where the answer may lack something, that counts as shown.
  [[nodiscard]] std::string shown_at_once() const {
    if (proves_absence()) return shown_ids();
    array_literal ids;
    for (const std::string& id : shown_)
      ids.add(std::string_view{id});
    for (const auto& [id, current] : known_)
      if (current && !shown_.contains(id)) ids.add(std::string_view{id});
    return ids.take();
  }

  // What could not be read may be what is missing.
  [[nodiscard]] bool proves_absence() const {
    const bool refused = rejected_.size() > batch_.rejected.size();
    return batch_.proves_absence && !batch_.incomplete() && !refused;
  }

  void mark_vanished() {
    const std::string text = fmt::format(
        "update flanks.{} set removed_at = now(), updated_at = now() "
        "where credential_id = $1 and removed_at is null and {} <> all($2::text[])",
        table_, columns_.front().name);
    const auto marked = db_.run(statement{"mark_vanished_products", text.c_str()},
                                sql_values(run_.credential, shown_ids()));
    run_.counts.removed = static_cast<std::int64_t>(marked.affected_rows());
  }

  // The whole list has been read: what it no longer shows is no longer wrong.
  void write_quarantine() {
    const std::string_view what = to_string(run_.what);
    const quarantine::list where{run_.credential, what,         "products",
                                 run_id_,         std::nullopt, db_.limits().quarantine_per_day};
    quarantine::open_records open;
    open.met(quarantine::write(db_, where, rejected_));
    if (!has_open_quarantine_) return;
    open.load(db_, run_.credential, what, "products");
    const std::vector<std::int64_t> gone = open.not_met();
    if (gone.empty()) return;
    const call resolving = quarantine::resolve(gone, run_id_);
    db_.run(resolving.what, resolving.values);
  }

  void write_balances() {
    if (!find_column(columns_, "balance") || shown_.empty()) return;
    const std::string text = fmt::format(
        "insert into flanks.balances as b (credential_id, product, product_id, day, balance, "
        "currency) "
        "select credential_id, $2, {0}, (coalesce($3::timestamptz, now()) at time zone "
        "'UTC')::date, "
        "balance, currency from flanks.{1} "
        "where credential_id = $1 and balance is not null and {0} = any($4::text[]) "
        "on conflict (credential_id, product, product_id, day) do update set balance = "
        "excluded.balance, currency = excluded.currency, updated_at = now() "
        "where (b.balance, b.currency) is distinct from (excluded.balance, excluded.currency)",
        columns_.front().name, table_);
    db_.run(statement{"write_balances", text.c_str()},
            sql_values(run_.credential, to_string(run_.what), run_.provider_update, shown_ids()));
  }

  pg_connection& db_;
  const product_batch& batch_;
  product_run& run_;
  std::string run_id_;
  std::string_view table_;
  std::span<const table_column> columns_;
  std::unordered_map<std::string, bool> known_;  // by id: the provider showed it until now
  std::int64_t current_ = 0;                     // of those
  std::unordered_set<std::string> shown_, written_;
  std::vector<rejected_record> rejected_;
  bool has_open_quarantine_;
};

void insert_run(pg_connection& db, const product_run& r, const std::string& product_run_id) {
  const row_counts& c = r.counts;
  db.run(write_run,
         sql_values(product_run_id, r.run_id, to_string(r.why), r.credential, to_string(r.what),
                    to_string(r.outcome), c.fetched, c.inserted, c.updated, c.unchanged,
                    c.duplicates, c.removed, c.quarantined, c.warnings,
                    storable_words(r.error_class), r.error_stage, storable_words(r.error_message),
                    storable_words(r.error_hint), r.http_status, storable_words(r.provider_code),
                    storable_words(r.trace_id), r.response_bytes, r.provider_update, r.started_at));
}

void cover(pg_connection& db, const product_run& run) {
  std::string reason = storable_words(run.error_message);
  if (run.outcome == outcome::partial) reason = "some records are in quarantine";
  db.run(write_coverage, sql_values(run.credential, to_string(run.what), run.provider_update,
                                    to_string(run.outcome), reason));
}

}  // namespace

std::vector<std::string> upsert(pg_connection& db, std::string_view table,
                                std::span<const table_column> columns,
                                std::optional<credential_id> owner,
                                std::span<const product_record> records) {
  sql_values values;
  if (owner) values.add(*owner);
  for (std::size_t c = 0; c < columns.size(); ++c) {
    array_literal column;
    for (const product_record& record : records) {
      const auto& value = record.values[c];
      column.add(value ? std::string_view{*value} : std::string_view{});
    }
    values.add(column.take());
  }
  const std::string text = upsert_text(table, columns, owner.has_value());
  std::vector<std::string> written;
  for (const auto& r : db.run(statement{"upsert_products", text.c_str()}, values))
    written.emplace_back(r[0].c_str());
  return written;
}

void store(pg_connection& db, product_request& r) {
  db.begin();
  if (r.written) {
    const run_in_doubt before{r.run.credential, r.product_run_id};
    if (!committed_runs(db, std::span(&before, 1)).empty()) return db.rollback();
  }
  const leases::claimed_lease ours{r.run.credential, r.lease};
  if (!leases::hold(db, std::span(&ours, 1), leases::lease_lock::wait).front()) {
    throw leases::lease_lost(r.run.credential,
                             fmt::format(", its {} were not stored", table_of(r.run.what)));
  }
  const pg_rows facts = db.run(
      read_facts, sql_values(r.run.credential, to_string(r.run.what), r.run.provider_update));
  product_run& run = r.written.emplace(r.run);
  run.outcome = outcome::ok;
  list_writer(db, r.batch, run, r.product_run_id, facts[0][0].as<bool>())
      .write(facts[0][1].as<bool>(), r.limits);
  cover(db, run);
  insert_run(db, run, r.product_run_id);
  db.commit();
}

void record(pg_connection& db, const product_run& run, const std::string& product_run_id) {
  db.begin();
  cover(db, run);
  if (run.outcome == outcome::failed) {
    insert_run(db, run, product_run_id);
    note_failure(db, run.credential, run.error_message, run.error_class, run.error_hint);
  }
  db.commit();
}

}  // namespace flanks::products
