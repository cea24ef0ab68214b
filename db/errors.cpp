#include "db/errors.hpp"

#include <fmt/format.h>

#include <array>

namespace flanks {

namespace {

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// The reason alone: libpq puts `connection to server at "h" (1.2.3.4), port 5432 failed: FATAL:  `
// before it, and tries every address; the last one's words are the ones to show.
std::string_view reason_of(std::string_view message) {
  if (const auto fatal = message.rfind("FATAL:  "); fatal != std::string_view::npos) {
    message.remove_prefix(fatal + 8);
  } else if (const auto failed = message.rfind(" failed: "); failed != std::string_view::npos) {
    message.remove_prefix(failed + 9);
  }
  return message.substr(0, message.find('\n'));
}

struct known_reason {
  std::string_view part, error_class, hint;
  verdict then;
};

constexpr std::array known_reasons{
    known_reason{"password authentication failed", "database_auth", "check database.password_file",
                 verdict::stop},
    known_reason{"no password supplied", "database_auth", "set database.password_file",
                 verdict::stop},
    known_reason{"Peer authentication failed", "database_auth",
                 "the operating system's user must be the database user; or use a password",
                 verdict::stop},
    known_reason{"no pg_hba.conf entry", "database_auth",
                 "allow this host, user and database in the server's pg_hba.conf", verdict::stop},
    known_reason{"role \"", "database_auth", "check the user in database.dsn", verdict::stop},
    known_reason{"database \"", "database_missing",
                 "check the name in database.dsn, or create the database", verdict::stop},
    known_reason{"permission denied", "database_auth",
                 "grant the user the right to connect to the database", verdict::stop},
    known_reason{"No such file or directory", "database_unreachable",
                 "is PostgreSQL running, and is the socket's directory in database.dsn right?",
                 verdict::later},
    known_reason{"Connection refused", "database_unreachable",
                 "is PostgreSQL running and listening there?", verdict::later},
    known_reason{"could not translate host name", "database_unreachable",
                 "check the host in database.dsn", verdict::later},
    known_reason{"timeout expired", "database_unreachable",
                 "is the host reachable, and is a firewall in between?", verdict::later},
    known_reason{"too many", "database_full",
                 "raise max_connections, or lower database.connections", verdict::later},
    known_reason{"remaining connection slots", "database_full",
                 "raise max_connections, or lower database.connections", verdict::later},
    known_reason{"starting up", "database_unreachable", "", verdict::later},
    known_reason{"shutting down", "database_unreachable", "", verdict::later},
    known_reason{"certificate", "database_tls", "check sslmode and sslrootcert in database.dsn",
                 verdict::stop},
};

struct known_state {
  std::string_view prefix, error_class, hint;
  verdict then;
};

// The first that fits; a prefix of two characters is a whole SQLSTATE class (PostgreSQL 15,
// appendix A).
constexpr std::array known_states{
    known_state{"40P01", "database_deadlock", "", verdict::retry},
    known_state{"40", "database_serialization", "", verdict::retry},
    known_state{"57P0", "database_lost", "", verdict::retry},
    known_state{"08", "database_lost", "", verdict::retry},
    known_state{"25P03", "database_idle_timeout", "", verdict::retry},
    known_state{"25006", "database_read_only",
                "is this a standby? database.dsn must name the primary", verdict::later},
    known_state{"55P03", "database_lock_timeout",
                "something else holds a lock: see pg_stat_activity", verdict::later},
    known_state{"57014", "database_timeout", "the statement took longer than its limit",
                verdict::later},
    known_state{"53100", "database_disk_full", "make room on the database's disk", verdict::later},
    known_state{"53", "database_resources", "", verdict::later},
    known_state{"22", "database_value", "", verdict::later},
    known_state{"42501", "database_rights", "grant the daemon's role its rights", verdict::stop},
    known_state{"42", "database_schema", "run flanks-sync migrate up", verdict::stop},
    known_state{"3F", "database_schema", "run flanks-sync migrate up", verdict::stop},
};

std::string_view first_line(std::string_view text) {
  for (const std::string_view prefix : {"ERROR:  ", "FATAL:  "}) {
    if (text.starts_with(prefix)) text.remove_prefix(prefix.size());
  }
  return text.substr(0, text.find('\n'));
}

}  // namespace

std::string db_target::text() const {
  if (host.starts_with('/')) return fmt::format("database \"{}\" at {}", database, host);
  return fmt::format("database \"{}\" at {}:{}", database, host, port);
}

failure connect_failure(const db_target& target, std::string_view libpq_message) {
  const std::string_view reason = reason_of(libpq_message);
  known_reason known{"", "database_unreachable", "", verdict::later};
  for (const known_reason& k : known_reasons) {
    if (has(reason, k.part)) {
      known = k;
      break;
    }
  }
  failure f(stage::database, known.then, std::string(known.error_class),
            fmt::format("cannot open {} as {}: {}", target.text(), target.user, reason));
  f.hint = known.hint;
  return f;
}

failure statement_failure(const db_target& target, const sql_problem& problem, stage at) {
  if (problem.lost || problem.in_doubt) {
    const std::string why = problem.what();
    failure f(at, verdict::retry, "database_lost",
              fmt::format("the connection to {} was lost during {}: {}", target.text(),
                          problem.statement, first_line(why)));
    return f;
  }
  known_state known{"", "database_error", "", verdict::later};
  for (const known_state& k : known_states) {
    if (problem.sqlstate.starts_with(k.prefix)) {
      known = k;
      break;
    }
  }
  failure f(at, known.then, std::string(known.error_class),
            fmt::format("{} failed in {}: {} ({})", problem.statement, target.text(),
                        first_line(problem.what()), problem.sqlstate));
  f.hint = known.hint;
  return f;
}

bool is_bad_value(std::string_view sqlstate) {
  // 22: data exception; 23502, 23514: not null, check. Not 23505 (unique): that is about other
  // rows.
  return sqlstate.starts_with("22") || sqlstate == "23502" || sqlstate == "23514" ||
         sqlstate == "54000";
}

}  // namespace flanks
