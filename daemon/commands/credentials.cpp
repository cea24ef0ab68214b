// credentials add | import | list | show | pause | resume | rotate | remove.
#include "daemon/commands/credentials.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <system_error>

#include "config/secret_file.hpp"
#include "daemon/commands/commands.hpp"
#include "daemon/terminal.hpp"
#include "sync/text.hpp"

namespace flanks {

namespace {

[[noreturn]] void cannot_read(const std::string& file, const std::string& why) {
  const bool shown = config::may_be_repeated(file);
  throw refusal(
      exit_code::failed,
      fmt::format("cannot read {}: {}{}", shown ? file : "the file that was named", why,
                  shown ? "" : "; the argument is not repeated here: it may be a secret"),
      shown ? "check the name and its permissions"
            : "name a file that exists; a credentials_token stands in a file or on standard "
              "input, never on the command line");
}

}  // namespace

std::string read_all(const std::string& file, const std::string& of_directory) {
  if (file.empty() || file == "-") {
    return std::string(std::istreambuf_iterator<char>(std::cin), {});
  }
  std::error_code unknown;
  if (std::filesystem::is_directory(file, unknown))
    throw refusal(exit_code::failed, fmt::format("{} is a directory", file), of_directory);
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  if (!in.is_open()) cannot_read(file, std::strerror(errno));
  std::string text(std::istreambuf_iterator<char>(in), {});
  if (in.bad()) cannot_read(file, std::strerror(errno));
  return text;
}

namespace {

namespace json = boost::json;

secret read_token(const std::string& file) {
  std::string text = read_all(file, "name the file that holds the credentials_token");
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
  switch (r.rotate(id, token)) {
    case rotated::replaced:
      told.add(id, "rotated", "has its new token, and is due now");
      break;
    case rotated::revived:
      told.add(id, "rotated", "has its token again, sealed anew, and is due now");
      break;
    case rotated::resealed:
      told.add(id, "unchanged", "has this token already: it is sealed anew, nothing else changes");
      break;
    case rotated::unchanged:
      told.add(id, "unchanged", "has this token already; nothing changes");
      break;
  }
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
      return import_credentials(r, asked);
    case command::credentials_list:
      return list_credentials(r, asked);
    case command::credentials_show:
      return show_credentials(r, asked);
    case command::credentials_rotate:
      return rotate(r, asked);
    default:
      return change(r, asked);
  }
}

}  // namespace flanks
