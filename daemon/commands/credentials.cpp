// credentials add | import | list | show | pause | resume | rotate | remove.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "daemon/commands/commands.hpp"
#include "daemon/csv.hpp"
#include "daemon/terminal.hpp"
#include "db/commands/registry.hpp"
#include "sync/blank.hpp"
#include "sync/text.hpp"

namespace flanks {

namespace {

namespace json = boost::json;

std::string read_all(const std::string& file) {
  if (file.empty() || file == "-") {
    return std::string(std::istreambuf_iterator<char>(std::cin), {});
  }
  if (std::filesystem::is_directory(file)) {
    throw refusal(exit_code::failed, fmt::format("{} is a directory", file),
                  "name the CSV file in it");
  }
  std::ifstream in(file, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(in), {});
  if (!in.is_open() || in.bad()) {
    throw refusal(exit_code::failed, fmt::format("cannot read {}", file),
                  "check the name and its permissions");
  }
  return text;
}

secret read_token(const std::string& file) {
  std::string text = read_all(file);
  if (const std::string odd = secret_objection(text); !odd.empty())
    throw refusal(exit_code::failed, "the credentials_token " + odd,
                  "give it as plain text, alone, on one line");
  if (first_not_utf8(text))
    throw refusal(exit_code::failed, "the credentials_token holds bytes that are not UTF-8",
                  "give it as plain text, alone, on one line");
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r'))
    text.pop_back();
  if (text.empty()) {
    throw refusal(exit_code::failed, "the credentials_token is empty",
                  "give it on standard input, or name its file with --token-file");
  }
  const auto odd = [](unsigned char c) { return c <= ' ' || c == 0x7f; };
  if (std::any_of(text.begin(), text.end(), odd)) {
    throw refusal(exit_code::failed, "the credentials_token holds blanks or control characters",
                  "give it alone, on one line");
  }
  return secret(std::move(text));
}

exit_code add(registry& r, const invocation& asked) {
  const credential_id id = r.add(user_id{asked.user}, read_token(asked.file), asked.even_if_erased);
  if (asked.json) {
    terminal::print_json(json::serialize(json::object{{"credential_id", id.value}}));
  } else {
    terminal::print("credential {} belongs to {}\n", id.value, asked.user);
  }
  return exit_code::done;
}

// What is wrong with a file, each with its place: such a file registers nobody.
class mistakes {
 public:
  explicit mistakes(std::string file) : file_(file == "-" ? "standard input" : std::move(file)) {}

  void add(text_place at, std::string_view what) {
    if (++count_ > most) return;
    all_ +=
        fmt::format("{}{}:{}:{}: {}", all_.empty() ? "" : "\n", file_, at.line, at.column, what);
  }
  void throw_if_any() const {
    if (count_ == 0) return;
    throw refusal(exit_code::failed,
                  count_ > most ? fmt::format("{}\nand {} more", all_, count_ - most) : all_,
                  "nothing was imported; mend the file and run it again");
  }

 private:
  static constexpr std::int64_t most = 20;
  std::string file_, all_;
  std::int64_t count_ = 0;
};

struct import_file {
  std::vector<registration_request> wanted;
  std::vector<csv::record> records;  // what each of them was read from
};

import_file read_import(const std::string& text, mistakes& wrong) {
  import_file file;
  for (const text_flaw& f : text_flaws(text))
    wrong.add(f.at, f.what);
  wrong.throw_if_any();
  csv::document document = csv::parse(text);
  const std::vector<std::string> header{"user_id", "credentials_token"};
  if (document.records.empty() || document.records[0].fields != header)
    wrong.add({1, 1}, "the first line must be: user_id,credentials_token");
  for (std::size_t i = 1; i < document.records.size(); ++i) {
    csv::record& r = document.records[i];
    if (r.fields.size() != 2) {
      wrong.add({r.line, 1},
                fmt::format("{} where 2 belong",
                            counted(static_cast<std::int64_t>(r.fields.size()), "field")));
      continue;
    }
    // The database judges the rest; these are so common that they are told with the others.
    if (is_blank(r.fields[0])) wrong.add(r.places[0], "user_id is empty or blank");
    if (r.fields[1].empty()) wrong.add(r.places[1], "credentials_token is empty");
    file.wanted.push_back({user_id{r.fields[0]}, secret(r.fields[1])});
    file.records.push_back(std::move(r));
  }
  if (document.broken_line)
    wrong.add({*document.broken_line, 1}, "a quoted field does not end, or text follows its end");
  wrong.throw_if_any();
  return file;
}

exit_code import(registry& r, const invocation& asked) {
  mistakes wrong(asked.file);
  const import_file file = read_import(read_all(asked.file), wrong);
  std::int64_t registered = 0, erased = 0;
  std::size_t at = 0;
  for (const registration::outcome& o : r.add(file.wanted)) {
    const csv::record& from = file.records[at++];
    if (o.now == standing::refused)
      wrong.add(from.places[o.refusal.starts_with("user_id") ? 0 : 1], o.refusal);
    ++(o.now == standing::erased ? erased : registered);
  }
  wrong.throw_if_any();
  const exit_code code = erased > 0 ? exit_code::some_failed : exit_code::done;
  if (asked.json) {
    terminal::print_json(
        json::serialize(json::object{{"registered", registered}, {"erased", erased}}));
    return code;
  }
  terminal::print("{} {} registered; those that were before stay as they are\n",
                  counted(registered, "credential"), plural(registered, "is", "are"));
  if (erased > 0) {
    terminal::print(stderr,
                    "{} erased with {} and not taken again\n"
                    "hint: flanks-sync credentials add --even-if-erased brings one back\n",
                    counted(erased, "credential was", "credentials were"),
                    plural(erased, "its user", "their users"));
  }
  return code;
}

std::string joined(const std::vector<user_id>& users) {
  std::string text;
  for (const user_id& u : users)
    text += (text.empty() ? "" : ", ") + u.value;
  return text;
}

json::value or_null(const std::string& value) {
  return value.empty() ? json::value(nullptr) : json::value(value);
}

json::object object_of(const credential_row& c) {
  json::array users;
  for (const user_id& u : c.users)
    users.emplace_back(u.value);
  return {{"credential_id", c.id.value},
          {"users", users},
          {"bank", or_null(c.bank)},
          {"state", c.state},
          {"pause_reason", or_null(c.pause_reason)},
          {"created_at", or_null(c.created_at)},
          {"last_attempt_at", or_null(c.last_attempt_at)},
          {"last_success_at", or_null(c.last_success_at)},
          {"last_new_data_at", or_null(c.last_new_data_at)},
          {"provider_updated_at", or_null(c.provider_updated_at)},
          {"last_error", or_null(c.last_error)},
          {"last_error_hint", or_null(c.last_error_hint)},
          {"what_next", c.what_next}};
}

json::object with_coverage(const credential_row& c) {
  json::array coverage;
  for (const coverage_row& v : c.coverage) {
    coverage.push_back(json::object{{"product", v.product},
                                    {"days", or_null(v.days)},
                                    {"last_success_at", or_null(v.last_success_at)},
                                    {"last_verification", or_null(v.last_proof)},
                                    {"last_verification_at", or_null(v.last_proof_at)}});
  }
  json::object o = object_of(c);
  o["transactions"] = c.transactions;
  o["coverage"] = std::move(coverage);
  return o;
}

exit_code list(registry& r, const invocation& asked) {
  std::vector<credential_row> rows;
  if (asked.who.users.empty()) {
    rows = r.list(std::nullopt, false);
  } else {
    for (const user_id& u : asked.who.users) {
      for (credential_row& c : r.list(u, false))
        rows.push_back(std::move(c));
    }
  }
  if (asked.json) {
    json::array all;
    for (const credential_row& c : rows)
      all.push_back(object_of(c));
    terminal::print_json(json::serialize(all));
    return exit_code::done;
  }
  const auto now = std::chrono::system_clock::now();
  terminal::table table({{"credential", terminal::align::right},
                         {"users"},
                         {"bank"},
                         {"state"},
                         {"registered"},
                         {"last success"}});
  for (const credential_row& c : rows) {
    table.add({std::to_string(c.id.value), joined(c.users), c.bank.empty() ? "-" : c.bank, c.state,
               terminal::local(c.created_at),
               c.last_success_at.empty() ? "never" : terminal::ago(c.last_success_at, now)});
  }
  table.print();
  return exit_code::done;
}

void print_one(const credential_row& c) {
  const auto line = [](std::string_view name, const std::string& value) {
    terminal::print("{:<22} {}\n", name, value.empty() ? "-" : value);
  };
  line("credential", std::to_string(c.id.value));
  line("users", joined(c.users));
  line("bank", c.bank);
  line("state", c.state);
  if (!c.pause_reason.empty()) line("paused because", c.pause_reason);
  line("next", terminal::localised(c.what_next));
  const auto now = std::chrono::system_clock::now();
  const auto time = [&](std::string_view name, const std::string& iso) {
    line(name, terminal::local_and_ago(iso, now));
  };
  time("registered", c.created_at);
  time("last attempt", c.last_attempt_at);
  time("last success", c.last_success_at);
  time("last new data", c.last_new_data_at);
  time("provider's refresh", c.provider_updated_at);
  line("last error", terminal::localised(c.last_error));
  if (!c.last_error_hint.empty()) line("hint", c.last_error_hint);
  line("transactions", terminal::grouped(c.transactions));
  for (const coverage_row& v : c.coverage) {
    line(fmt::format("verified {}", v.product),
         fmt::format("{}, last {}", v.days, terminal::local_and_ago(v.last_success_at, now)));
    line(fmt::format("proved {}", v.product),
         v.last_proof.empty()
             ? "never"
             : fmt::format("{}, {}", v.last_proof, terminal::local_and_ago(v.last_proof_at, now)));
  }
}

exit_code show(registry& r, const invocation& asked) {
  json::array all;
  for (const credential_id id : asked.who.credentials) {
    const credential_row c = r.show(id);
    if (asked.json) {
      all.push_back(with_coverage(c));
    } else {
      print_one(c);
    }
  }
  if (asked.json) terminal::print_json(json::serialize(all));
  return exit_code::done;
}

// What was done with each credential, told at once to people, and as one array at the end to a
// script: also when a later one fails.
class told_changes {
 public:
  explicit told_changes(bool as_json) : as_json_(as_json) {}
  ~told_changes() {
    if (as_json_) terminal::print_json(json::serialize(all_));
  }
  told_changes(const told_changes&) = delete;
  told_changes& operator=(const told_changes&) = delete;

  void add(credential_id id, std::string_view change, const std::string& words) {
    if (as_json_) {
      all_.push_back(json::object{{"credential_id", id.value},
                                  {"change", json::string_view{change.data(), change.size()}}});
    } else {
      terminal::print("credential {} {}\n", id.value, words);
    }
  }

 private:
  bool as_json_;
  json::array all_;
};

exit_code rotate(registry& r, const invocation& asked) {
  if (asked.who.credentials.size() != 1)
    throw refusal(exit_code::usage, "a new token belongs to one credential", "name one");
  const credential_id id = asked.who.credentials.front();
  const secret token = read_token(asked.file);
  told_changes told(asked.json);
  r.rotate(id, token);
  told.add(id, "rotated", "has its new token, and is due now");
  return exit_code::done;
}

exit_code change(registry& r, const invocation& asked) {
  told_changes told(asked.json);
  for (const credential_id id : asked.who.credentials) {
    if (asked.what == command::credentials_pause) {
      r.pause(id, asked.reason);
      told.add(id, "paused", "is paused; its rows stay");
    } else if (asked.what == command::credentials_resume) {
      r.resume(id);
      told.add(id, "resumed", "is due now");
    } else {
      r.remove(id);
      told.add(id, "removed", "is removed: its token is deleted, its transactions stay");
    }
  }
  return exit_code::done;
}

}  // namespace

exit_code command_credentials(const invocation& asked) {
  // It ends a lost key: what it writes is sealed at once.
  const bool seals = asked.what == command::credentials_rotate;
  const configuration c =
      configure(asked, seals ? config::secret_scope::tokens : config::secret_scope::database);
  const bool reads =
      asked.what == command::credentials_list || asked.what == command::credentials_show;
  if (!reads) require_schema(c);
  registry r(database_options(c));
  switch (asked.what) {
    case command::credentials_add:
      return add(r, asked);
    case command::credentials_import:
      return import(r, asked);
    case command::credentials_list:
      return list(r, asked);
    case command::credentials_show:
      return show(r, asked);
    case command::credentials_rotate:
      return rotate(r, asked);
    default:
      return change(r, asked);
  }
}

}  // namespace flanks
