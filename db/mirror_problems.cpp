#include "db/mirror_problems.hpp"

#include "db/leases.hpp"
#include "db/pg/connection.hpp"
#include "db/pg/text_format.hpp"

namespace flanks::mirror_problems {

namespace {

constexpr statement note_sql{"note_mirror_problem", R"(
insert into flanks_internal.mirror_problems as p (problem, process, error_class, error, hint)
values ($1, $2, $3, $4, nullif($5, ''))
on conflict (problem, process) do update set seen_at = now(), hint = excluded.hint,
  since = case when p.error_class = excluded.error_class then p.since else now() end,
  error_class = excluded.error_class, error = excluded.error)"};

// A daemon that still meets it says so again within a minute. Of a configuration each has its own;
// those of daemons that have ended go too.
constexpr statement clear_sql{"clear_mirror_problem", R"(
delete from flanks_internal.mirror_problems
where problem = $1 and (problem not in ('reloading', 'clock') or process = $2 or seen_at < now() - interval '1 hour'))"};

constexpr statement forget_sql{"forget_mirror_problems", R"(
delete from flanks_internal.mirror_problems where process = $1)"};

constexpr statement read_sql{"read_mirror_problems", R"(
select problem, to_char(since, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), process, error_class, who_must_act, error, hint, what_next
from flanks.mirror_problems)"};

}  // namespace

void note(pg_connection& db, const db_options& options, mirror_problem which,
          const std::optional<failure>& what) {
  const std::string name(to_string(which));
  const std::string process = leases::holder_of(options);
  if (!what) {
    db.run(clear_sql, sql_values(name, process));
    return;
  }
  db.run(note_sql, sql_values(name, process, what->error_class, storable_words(what->what()),
                              storable_words(what->hint)));
}

void forget(pg_connection& db, const db_options& options) {
  db.run(forget_sql, sql_values(leases::holder_of(options)));
}

std::vector<row> read(pg_connection& db) {
  std::vector<row> rows;
  for (const auto& r : db.run(read_sql)) {
    row one{mirror_problem_from(r[0].view()).value_or(mirror_problem::fetching),
            r[1].c_str(),
            r[2].c_str(),
            r[3].c_str(),
            r[4].c_str(),
            r[5].c_str(),
            {},
            r[7].c_str()};
    if (!r[6].is_null()) one.hint = r[6].c_str();
    rows.push_back(std::move(one));
  }
  return rows;
}

}  // namespace flanks::mirror_problems
