#include "db/known_answers.hpp"

#include <string>

#include "db/array_columns.hpp"

namespace flanks::known_answers {

namespace {

// Nothing else has a say either: another credential's rows that this one shows too, or a person who
// has been asked about rows that vanished. In the order of all who lock leases; one that is locked
// already is not worth waiting for here.
constexpr statement hold_expected{"hold_expected", R"(
select a.nr
from flanks_internal.transactions_watch w
cross join unnest($1::bigint[], $2::text[], $3::uuid[], $4::uuid[]) with ordinality
  as a(credential_id, product, lease_id, answer_hash, nr)
join flanks_internal.read_backs b on b.credential_id = a.credential_id and b.product = a.product and b.watch = w.watch
  and b.answer_hash = a.answer_hash
join flanks_internal.leases l on l.credential_id = a.credential_id and l.lease_id = a.lease_id
  and l.expires_at > clock_timestamp()
where not exists (select from flanks.transaction_sightings s where s.credential_id = a.credential_id)
  and not exists (select from flanks.removal_reviews v where v.credential_id = a.credential_id and v.product = a.product
    and v.state in ('open', 'rejected'))
order by a.credential_id for update of l skip locked)"};

constexpr statement note_answers{"note_answers", R"(
with free as (
  select a.*
  from unnest($1::bigint[], $2::text[], $3::uuid[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
    as a(credential_id, product, answer_hash, answer_seed, answer_bytes, answer_records, answer_question)
  join flanks_internal.read_backs b on b.credential_id = a.credential_id and b.product = a.product and b.watch is not null
  for update of b skip locked)
update flanks_internal.read_backs b set answer_hash = f.answer_hash, answer_seed = f.answer_seed,
  answer_bytes = f.answer_bytes, answer_records = f.answer_records, answer_question = f.answer_question
from free f where b.credential_id = f.credential_id and b.product = f.product)"};

}  // namespace

void add_to(sql_values& values, const std::optional<known_answer>& answer) {
  if (!answer) {
    for (int i = 0; i < 5; ++i)
      values.add(nullptr);
    return;
  }
  values.add(uuid_text(answer->digest.hash));
  values.add(static_cast<std::int64_t>(answer->digest.seed));
  values.add(answer->digest.bytes);
  values.add(answer->records);
  values.add(static_cast<std::int64_t>(answer->digest.question));
}

std::optional<known_answer> from(const pg_row& row, int first) {
  if (row[first].is_null()) return std::nullopt;
  known_answer answer;
  answer.digest.hash = uuid_from_text(row[first].c_str());
  answer.digest.seed = static_cast<std::uint64_t>(row[first + 1].as<std::int64_t>());
  answer.digest.bytes = row[first + 2].as<std::int64_t>();
  answer.records = row[first + 3].as<std::int64_t>();
  answer.digest.question =
      static_cast<std::uint64_t>(row[first + 4].as<std::int64_t>(0));  // null: of before 0011
  return answer;
}

std::vector<window_request*> confirm(session& db, std::span<window_request* const> requests) {
  std::vector<window_request*> found;
  if (requests.empty()) return found;
  array_columns asked;
  for (const window_request* r : requests) {
    asked.add(sql_values(r->scope.credential, to_string(r->scope.what), r->scope.lease.value,
                         uuid_text(r->evidence.answer->digest.hash)));
  }
  for (const auto& r : db.run(hold_expected, asked.take())) {
    window_request* const request = requests[r[0].as<std::size_t>() - 1];
    row_counts counts;
    counts.fetched = counts.unchanged = request->evidence.answer->records;
    request->record.counts = counts;
    found.push_back(request);
  }
  return found;
}

call note(std::span<window_request* const> quiet) {
  array_columns rows;
  for (const window_request* r : quiet) {
    sql_values row(r->scope.credential, to_string(r->scope.what));
    add_to(row, r->evidence.answer);
    rows.add(row);
  }
  return {note_answers, rows.take()};
}

}  // namespace flanks::known_answers
