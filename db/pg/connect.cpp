#include "db/pg/connect.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

namespace flanks {

namespace {

namespace chr = std::chrono;

// A setting of the server's session that the meaning of our statements and of their results rests
// on (PostgreSQL 15, chapter 20).
struct needed_setting {
  const char* name;
  const char* value;
  const char* why;
  bool asked = true;  // false: no role but a superuser may ask for it, so that it is only checked
};
constexpr std::array needed{
    needed_setting{"DateStyle", "ISO", "dates are read as YYYY-MM-DD"},
    needed_setting{"IntervalStyle", "postgres", "intervals are read as text"},
    needed_setting{"TimeZone", "UTC", "days and times are those of UTC"},
    needed_setting{"client_encoding", "UTF8", "texts are sent and read as UTF-8"},
    needed_setting{"search_path", "pg_catalog", "no object of others may stand in for ours"},
    needed_setting{"standard_conforming_strings", "on", "a backslash in a text is a backslash"},
    needed_setting{"array_nulls", "on", "a null in a list of values is a null"},
    needed_setting{"bytea_output", "hex", "bytes are read as hexadecimal digits"},
    needed_setting{"extra_float_digits", "1", "numbers are read to their last digit"},
    needed_setting{"transform_null_equals", "off", "nothing equals null"},
    needed_setting{"quote_all_identifiers", "off", "definitions of views are compared as text"},
    needed_setting{"row_security", "off", "a row that a policy hides must be an error"},
    needed_setting{"default_transaction_isolation", "read committed",
                   "a statement must see what others have committed while it waited"},
    needed_setting{"default_transaction_read_only", "off", "the mirror writes"},
    needed_setting{"session_replication_role", "origin", "the triggers of our tables must fire",
                   false},
};

using keywords = std::vector<std::pair<std::string, std::string>>;

std::string* find(keywords& c, std::string_view key) {
  const auto at = std::find_if(c.begin(), c.end(), [&](const auto& kv) { return kv.first == key; });
  return at == c.end() ? nullptr : &at->second;
}

// What the dsn says itself wins over our default.
void set_default(keywords& c, const char* key, std::string value) {
  if (find(c, key) == nullptr) c.emplace_back(key, std::move(value));
}

keywords parse(const std::string& dsn) {
  // Its message quotes the piece that it did not understand: it may be a piece of a password.
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(
      PQconninfoParse(dsn.c_str(), nullptr), &PQconninfoFree);
  if (!parsed) {
    throw failure(stage::configuration, verdict::stop, "database_dsn",
                  "database.dsn is not a valid conninfo or URI");
  }
  keywords result;
  for (const PQconninfoOption* o = parsed.get(); o->keyword != nullptr; ++o) {
    if (o->val != nullptr) result.emplace_back(o->keyword, o->val);
  }
  return result;
}

// After the operator's own: of two that name the same setting the later one counts.
std::string command_line(const db_options& o) {
  std::string out = fmt::format(
      "-c statement_timeout={}s -c lock_timeout={}s -c idle_in_transaction_session_timeout={}s "
      "-c flanks_sync.asked=1",
      o.statement_timeout.count(), o.lock_timeout.count(), o.idle_in_transaction_timeout.count());
  for (const needed_setting& s : needed) {
    if (!s.asked) continue;
    std::string value = s.value;
    if (const auto space = value.find(' '); space != std::string::npos) value.insert(space, "\\");
    out += fmt::format(" -c {}={}", s.name, value);
  }
  return out;
}

keywords keywords_of(const db_options& o, const login& who, bool with_options) {
  keywords c = parse(who.dsn);
  std::erase_if(c, [](const auto& kv) { return kv.first == "client_encoding"; });
  c.emplace_back("client_encoding", "UTF8");
  if (with_options) {
    const std::string* const own = find(c, "options");
    const std::string options = (own == nullptr ? "" : *own + " ") + command_line(o);
    std::erase_if(c, [](const auto& kv) { return kv.first == "options"; });
    c.emplace_back("options", options);
  } else {
    std::erase_if(c, [](const auto& kv) { return kv.first == "options"; });
  }
  // 0 would wait for ever.
  std::erase_if(c, [](const auto& kv) {
    return kv.first == "connect_timeout" && std::atoi(kv.second.c_str()) <= 0;
  });
  set_default(c, "application_name", o.application_name);
  set_default(c, "connect_timeout", std::to_string(o.connect_timeout.count()));
  set_default(c, "keepalives", "1");
  set_default(c, "keepalives_idle", "30");
  set_default(c, "keepalives_interval", "10");
  set_default(c, "keepalives_count", "3");
  set_default(c, "tcp_user_timeout", std::to_string(o.network_timeout.count() * 1000));
  return c;
}

// libpq's two arrays; the texts stay those of the keywords and the password.
struct parameters {
  std::vector<const char*> keys, texts;

  parameters(const keywords& c, const secret& password) {
    for (const auto& [key, value] : c)
      keys.push_back(key.c_str()), texts.push_back(value.c_str());
    if (!password.empty()) {
      keys.push_back("password");
      texts.push_back(password.reveal().c_str());
    }
    keys.push_back(nullptr);
    texts.push_back(nullptr);
  }
};

// Five digits or letters at the end of the last line, after the severity: what
// PQERRORS_SQLSTATE makes of what a server says; "" of what libpq says itself.
std::string sqlstate_in(std::string_view message) {
  while (!message.empty() && message.back() == '\n')
    message.remove_suffix(1);
  const std::size_t colon = message.rfind(":  ");
  if (colon == std::string_view::npos || message.size() != colon + 8) return "";
  const std::string_view state = message.substr(colon + 3);
  const bool plain = std::all_of(state.begin(), state.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
  });
  return plain ? std::string(state) : "";
}

// The words of a refused connection are in the server's language, and its SQLSTATE is told only to
// who asks for it before (PostgreSQL 15, PQsetErrorVerbosity): so it is asked once more.
std::string refusal_code(const parameters& p, chr::seconds limit) {
  const pg_handle c(PQconnectStartParams(p.keys.data(), p.texts.data(), 0), &PQfinish);
  if (!c || PQstatus(c.get()) == CONNECTION_BAD) return "";
  PQsetErrorVerbosity(c.get(), PQERRORS_SQLSTATE);
  const auto deadline = chr::steady_clock::now() + limit;
  for (PostgresPollingStatusType next = PGRES_POLLING_WRITING; next != PGRES_POLLING_OK;) {
    if (next == PGRES_POLLING_FAILED) return sqlstate_in(PQerrorMessage(c.get()));
    const auto left = chr::ceil<chr::milliseconds>(deadline - chr::steady_clock::now()).count();
    pollfd wait{PQsocket(c.get()),
                static_cast<short>(next == PGRES_POLLING_READING ? POLLIN : POLLOUT), 0};
    if (left <= 0 || ::poll(&wait, 1, static_cast<int>(left)) <= 0) return "";
    next = PQconnectPoll(c.get());
  }
  return "";
}

void check_encoding(PGconn* c) {
  // Every text that the provider may send must have a place: only UTF8 has one for all of them.
  const char* const encoding = PQparameterStatus(c, "server_encoding");
  if (encoding != nullptr && std::string_view(encoding) == "UTF8") return;
  throw failure(stage::configuration, verdict::stop, "database_encoding",
                fmt::format("{} has the encoding {}, not UTF8", target_of(c).text(),
                            encoding == nullptr ? "unknown" : encoding));
}

bool fits(const needed_setting& s, std::string_view found) {
  // Another name of the same zone, as many systems have it.
  if (std::string_view(s.name) == "TimeZone" && found == "Etc/UTC") return true;
  // "ISO, MDY": the second word is how others' dates would be read.
  if (std::string_view(s.name) == "DateStyle") return found.starts_with("ISO");
  // 2 and 3 mean the same since PostgreSQL 12.
  if (std::string_view(s.name) == "extra_float_digits")
    return found == "1" || found == "2" || found == "3";
  return found == s.value;
}

}  // namespace

db_target target_of(const PGconn* connection) {
  const auto text = [](const char* s) { return std::string(s == nullptr ? "" : s); };
  db_target t{text(PQdb(connection)), text(PQhost(connection)), text(PQport(connection)),
              text(PQuser(connection))};
  if (t.host.empty()) t.host = "localhost";
  return t;
}

std::string settings_query() {
  std::string out = "select pg_catalog.current_setting('flanks_sync.asked', true)";
  for (const needed_setting& s : needed)
    out += fmt::format(", pg_catalog.current_setting('{}')", s.name);
  return out;
}

bool options_arrived(const pg_rows& found) {
  return found[0][0].view() == "1";
}

void check_settings(const db_target& at, const pg_rows& found) {
  int column = 0;
  for (const needed_setting& s : needed) {
    const pg_value value = found[0][++column];
    if (fits(s, value.view())) continue;
    failure f(stage::configuration, verdict::stop, "database_settings",
              fmt::format("{}: the setting {} of our session is \"{}\" and must be \"{}\": {}",
                          at.text(), s.name, value.view(), s.value, s.why));
    f.hint = s.asked ? fmt::format(
                           "alter role \"{}\" set {} = '{}': what the connection asks for "
                           "did not reach the server, as behind a pooler",
                           at.user, s.name, s.value)
                     : fmt::format("alter role \"{}\" reset {}; and the same of the database",
                                   at.user, s.name);
    throw f;
  }
}

pg_handle open_connection(const db_options& options, const login& who) {
  const secret password = who.password ? who.password() : secret{};
  for (const bool with_options : {true, false}) {
    const keywords c = keywords_of(options, who, with_options);
    const parameters p(c, password);
    pg_handle open(PQconnectdbParams(p.keys.data(), p.texts.data(), 0), &PQfinish);
    if (!open) throw connect_failure({}, "", "out of memory");
    if (PQstatus(open.get()) != CONNECTION_OK) {
      const std::string_view said = PQerrorMessage(open.get());
      // A server's words follow its severity; libpq's own have none, and no code.
      const bool refused = said.find(":  ") != std::string_view::npos;
      const std::string state = refused ? refusal_code(p, options.connect_timeout) : "";
      // protocol_violation: what pgbouncer answers to a startup parameter that it does not know.
      if (state == "08P01" && with_options) continue;
      throw connect_failure(target_of(open.get()), state, said);
    }
    check_encoding(open.get());
    PQsetNoticeProcessor(
        open.get(), [](void*, const char*) {}, nullptr);
    return open;
  }
  throw std::logic_error("not reached");
}

}  // namespace flanks
