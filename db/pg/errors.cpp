#include "db/pg/errors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "db/pg/own_names.hpp"
#include "sync/error_class.hpp"

namespace flanks {

namespace {

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// The reason alone: libpq puts `connection to server at "h" (1.2.3.4), port 5432 failed: FATAL:  `
// before it, and tries every address; the last one's words are the ones to show.
std::string_view reason_of(std::string_view message) {
  if (const auto failed = message.rfind(" failed: "); failed != std::string_view::npos)
    message.remove_prefix(failed + 9);
  message = message.substr(0, message.find('\n'));
  // The server's severity is in its own language; two spaces follow it.
  if (const auto severity = message.find(":  "); severity != std::string_view::npos)
    message.remove_prefix(severity + 3);
  return message;
}

struct known_refusal {
  std::string_view prefix, error_class, hint;  // hint: empty, it is that of the class
  flanks::verdict verdict;
};

// A server that does not let us in (PostgreSQL 15, appendix A); the first that fits.
constexpr std::array known_refusals{
    known_refusal{"28P01", "database_auth", "check database.password_file", verdict::stop},
    known_refusal{"28", "database_auth",
                  "check the user in database.dsn; the server's pg_hba.conf must let it in from "
                  "here, to this database",
                  verdict::stop},
    known_refusal{"3D000", "database_missing", "", verdict::stop},
    known_refusal{"42501", "database_auth", "grant the user the right to connect to the database",
                  verdict::stop},
    known_refusal{"53300", "database_full", "", verdict::later},
    known_refusal{"57P03", "database_starting", "", verdict::later},
    known_refusal{"53100", "database_disk_full", "", verdict::later},
    known_refusal{"22023", "database_refused", "", verdict::stop},
    known_refusal{"42704", "database_refused", "", verdict::stop},
    known_refusal{"08P01", "database_refused",
                  "is there a pooler in between that does not know what the connection asks for?",
                  verdict::stop},
};

struct known_reason {
  std::string_view part, error_class, hint;
  flanks::verdict verdict;
};

// What libpq finds out by itself: there is no code for it.
constexpr std::array known_reasons{
    known_reason{"no password supplied", "database_auth", "set database.password_file",
                 verdict::stop},
    known_reason{"No such file or directory", "database_unreachable",
                 "is PostgreSQL running, and is the socket's directory in database.dsn right?",
                 verdict::later},
    known_reason{"Connection refused", "database_unreachable",
                 "is PostgreSQL running and listening there?", verdict::later},
    known_reason{"could not translate host name", "database_unreachable",
                 "check the host in database.dsn", verdict::later},
    known_reason{"timeout expired", "database_unreachable",
                 "is the host reachable, and is a firewall in between?", verdict::later},
    known_reason{"certificate", "database_tls", "", verdict::stop},
    known_reason{"SSL", "database_tls", "", verdict::stop},
};

struct known_state {
  std::string_view prefix, error_class;
  flanks::verdict verdict;
};

// The first that fits; a prefix of two characters is a whole SQLSTATE class (PostgreSQL 15,
// appendix A).
constexpr std::array known_states{
    known_state{"40P01", "database_deadlock", verdict::retry},
    known_state{"40", "database_serialization", verdict::retry},
    known_state{"57P0", "database_lost", verdict::retry},
    known_state{"08", "database_lost", verdict::retry},
    known_state{"25P03", "database_idle_timeout", verdict::retry},
    known_state{"25006", "database_read_only", verdict::later},
    known_state{"55P03", "database_lock_timeout", verdict::later},
    known_state{"57014", "database_timeout", verdict::later},
    known_state{"53100", "database_disk_full", verdict::later},
    known_state{"53200", "database_memory", verdict::later},
    known_state{"53", "database_resources", verdict::later},
    known_state{"58", "database_io", verdict::later},
    known_state{"XX001", "database_damaged", verdict::later},
    known_state{"XX002", "database_damaged", verdict::later},
    known_state{"22", "database_value", verdict::later},
    known_state{"42501", "database_rights", verdict::stop},
    known_state{"42", "database_schema", verdict::stop},
    known_state{"3F", "database_schema", verdict::stop},
};

std::string_view first_line(std::string_view text) {
  return text.substr(0, text.find('\n'));
}

}  // namespace

std::string db_target::text() const {
  if (host.starts_with('/')) return fmt::format("database \"{}\" at {}", database, host);
  return fmt::format("database \"{}\" at {}:{}", database, host, port);
}

failure connect_failure(const db_target& target, std::string_view sqlstate,
                        std::string_view libpq_message) {
  const std::string_view reason = reason_of(libpq_message);
  failure f(stage::database, verdict::later, "database_unreachable",
            fmt::format("cannot open {} as {}: {}", target.text(), target.user, reason));
  const auto decide = [&](const auto& known) {
    f.verdict = known.verdict;
    f.error_class = known.error_class;
    f.hint = known.hint.empty() ? hint_of(known.error_class) : known.hint;
    return f;
  };
  for (const known_refusal& k : known_refusals) {
    if (!sqlstate.empty() && sqlstate.starts_with(k.prefix)) return decide(k);
  }
  for (const known_reason& k : known_reasons) {
    if (sqlstate.empty() && has(reason, k.part)) return decide(k);
  }
  return f;
}

std::string foreign_object(const sql_problem& problem) {
  if (!problem.function.empty()) return problem.function;
  if (!is_foreign_constraint(problem.table, problem.constraint)) return "";
  return fmt::format("\"{}\" of {}", problem.constraint,
                     problem.table.empty() ? "a table or type" : problem.table);
}

std::string foreign_hint(const sql_problem& problem) {
  if (!problem.function.empty()) {
    const bool lost_its_way = problem.sqlstate.starts_with("42");
    return fmt::format(
        "{} is none of flanks-sync's: whoever made it has to mend it or drop its trigger{}",
        problem.function,
        lost_its_way ? "; it runs with search_path = pg_catalog and with the rights of the "
                       "daemon's role, so "
                       "it must name schemas, or set its own"
                     : "");
  }
  if (!is_foreign_constraint(problem.table, problem.constraint)) return "";
  return fmt::format(
      "\"{}\" is no index or constraint of flanks-sync's: whoever made it has to drop it",
      problem.constraint);
}

std::string refusal_words(const sql_problem& problem) {
  const std::string said(first_line(problem.what())), hint = foreign_hint(problem);
  return hint.empty() ? said : fmt::format("{}; {}", said, hint);
}

namespace {

// Of something that refused by its name: whose it is comes first.
std::optional<failure> named_refusal(const db_target& target, const sql_problem& problem,
                                     stage at) {
  const std::string said(first_line(problem.what()));
  std::optional<failure> f;
  if (!problem.function.empty()) {
    f.emplace(
        at, verdict::later, "database_foreign_function",
        fmt::format("{} failed in {}: the function {} refused it, or failed: {} ({})",
                    problem.statement, target.text(), problem.function, said, problem.sqlstate));
  } else if (problem.sqlstate.starts_with("23") && !problem.constraint.empty()) {
    f.emplace(at, verdict::later, "database_constraint",
              fmt::format("{} failed in {}: \"{}\" of {} refused a row: {} ({})", problem.statement,
                          target.text(), problem.constraint,
                          problem.table.empty() ? "a table or type" : problem.table, said,
                          problem.sqlstate));
  }
  if (f) f->hint = foreign_hint(problem);
  return f;
}

}  // namespace

failure statement_failure(const db_target& target, const sql_problem& problem, stage at) {
  if (problem.silent_for.count() > 0) {
    failure f(at, verdict::retry, "database_silent",
              fmt::format("{} had no answer from {} in {} s; the connection was given up",
                          problem.statement, target.text(), problem.silent_for.count()));
    return f;
  }
  if (problem.lost || problem.in_doubt) {
    const std::string why = problem.what();
    failure f(at, verdict::retry, "database_lost",
              fmt::format("the connection to {} was lost during {}: {}", target.text(),
                          problem.statement, first_line(why)));
    return f;
  }
  if (const auto named = named_refusal(target, problem, at)) return *named;
  known_state known{"", "database_error", verdict::later};
  const auto found =
      std::find_if(known_states.begin(), known_states.end(),
                   [&](const known_state& k) { return problem.sqlstate.starts_with(k.prefix); });
  if (found != known_states.end()) known = *found;
  // Which tables it cannot read and what it cannot write is said in several ways.
  if (problem.standby && known.error_class == "database_error")
    known = {"", "database_read_only", verdict::later};
  return failure(at, known.verdict, std::string(known.error_class),
                 fmt::format("{} failed in {}: {} ({})", problem.statement, target.text(),
                             first_line(problem.what()), problem.sqlstate));
}

bool is_bad_value(std::string_view sqlstate) {
  // 22: data exception; 23502, 23514: not null, check. Not 23505 (unique): that is about other
  // rows.
  return sqlstate.starts_with("22") || sqlstate == "23502" || sqlstate == "23514" ||
         sqlstate == "54000";
}

}  // namespace flanks
