// support: one text file for whoever helps. It is read before it is sent, so it is text; it is sent
// to others, so nothing of a person is in it: no token, secret, user, account, amount, and no text
// that the provider or a bank wrote.
#include <fcntl.h>
#include <fmt/format.h>
#include <link.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/version.hpp>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "daemon/commands/commands.hpp"
#include "daemon/commands/doctor.hpp"
#include "daemon/terminal.hpp"
#include "db/commands/support_view.hpp"

namespace flanks {

namespace {

namespace json = boost::json;

struct support_section {
  std::string name;
  std::string text;  // lines
};

std::string stamp(const char* form) {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  return std::string(text.data(), std::strftime(text.data(), text.size(), form, &parts));
}

std::string first_line_with(const std::filesystem::path& file, std::string_view begin) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(begin)) return line.substr(begin.size());
  }
  return "?";
}

// The files of the shared libraries that this process has loaded, with the versions in their names.
std::string libraries() {
  std::vector<std::string> names;
  const auto take = [](dl_phdr_info* info, std::size_t, void* to) {
    std::error_code none;
    const auto file = std::filesystem::canonical(info->dlpi_name, none);
    if (!none) static_cast<std::vector<std::string>*>(to)->push_back(file.filename().string());
    return 0;
  };
  ::dl_iterate_phdr(take, &names);
  std::sort(names.begin(), names.end());
  std::string text;
  for (const std::string& name : names)
    text += (text.empty() ? "" : " ") + name;
  return text;
}

std::string program_text() {
  utsname system{};
  ::uname(&system);
  return fmt::format(
      "flanks-sync   {}\n"
      "compiler      {}\n"
      "Boost         {}\n"
      "libraries     {}\n"
      "system        {}\n"
      "kernel        {} {} {}\n"
      "processors    {}\n"
      "memory        {}\n"
      "under systemd {}\n",
      FLANKS_SYNC_VERSION, __VERSION__, BOOST_LIB_VERSION, libraries(),
      first_line_with("/etc/os-release", "PRETTY_NAME="), system.sysname, system.release,
      system.machine, ::sysconf(_SC_NPROCESSORS_ONLN),
      first_line_with("/proc/meminfo", "MemTotal:"),
      std::getenv("INVOCATION_ID") != nullptr ? "yes" : "no");
}

// Names of the company, its accounts and its hosts stay out, and so does the filter: it may name
// whom it lets pass.
std::string configuration_text(const configuration& c) {
  constexpr std::string_view left_out = "(left out)";
  config::settings shown = c.values();
  shown.flanks.client_id = left_out;
  if (!shown.flanks.username.empty()) shown.flanks.username = left_out;
  shown.database.dsn = left_out;
  // One of these may be the secret itself, typed where its file belongs.
  for (std::string* const file :
       {&shown.flanks.client_secret_file, &shown.flanks.password_file,
        &shown.database.password_file, &shown.admin.password_file, &shown.encryption.key_file,
        &shown.encryption.previous_key_file}) {
    if (!file->empty()) *file = left_out;
  }
  // The arguments of a program may be what it signs on with.
  for (std::vector<std::string>* const command :
       {&shown.flanks.client_secret_command, &shown.database.password_command}) {
    if (!command->empty()) *command = {std::string(left_out)};
  }
  for (std::string& host : shown.admin.hosts)
    host = left_out;
  const bool filtered = !shown.sync.query.fields.empty();
  shown.sync.query = {};
  return fmt::format("{}{}", config::show(shown), filtered ? "# sync.query: (left out)\n" : "");
}

std::string text_of(const support_table& t) {
  if (!t.trouble.empty()) return fmt::format("not read: {}\n", t.trouble);
  if (t.rows.empty()) return "none\n";
  std::vector<terminal::heading> headings;
  for (const std::string& column : t.columns)
    headings.push_back({column});
  terminal::table table(std::move(headings));
  for (const std::vector<std::string>& row : t.rows)
    table.add(row);
  return table.text();
}

// A token that is refused is refused in the provider's words, and with our client_id.
std::string doctor_text(const invocation& asked) {
  terminal::table table({{"result"}, {"check"}, {"error_class"}, {"says"}});
  for (const finding& f : examine(asked)) {
    table.add({std::string(to_string(f.how)), f.check, f.error_class.empty() ? "-" : f.error_class,
               f.check == "token" ? "(left out)" : f.says});
  }
  return table.text();
}

void add_database(const configuration& c, std::vector<support_section>& to) {
  try {
    for (const support_table& t : read_support(database_options(c)))
      to.push_back({t.name, text_of(t)});
  } catch (const failure& f) {
    to.push_back(
        {"database", fmt::format("not read: {} ({})\n", to_string(f.stage), f.error_class)});
  }
}

// In the order of the file. What fails says so in its place, and leaves the others.
std::vector<support_section> sections_of(const invocation& asked) {
  std::vector<support_section> all{{"program", program_text()}};
  try {
    const configuration c = configure(asked, config::secret_scope::database);
    all.push_back({"configuration", configuration_text(c)});
    all.push_back({"doctor", doctor_text(asked)});
    add_database(c, all);
  } catch (const refusal& r) {
    all.push_back({"configuration", fmt::format("{}\n", r.what())});
  }
  return all;
}

std::string text_of(const std::vector<support_section>& sections) {
  std::string text = fmt::format(
      "flanks-sync support, written {}\n"
      "No token, password, user, account or amount is in here, and no text of the provider.\n"
      "Credentials are told by their numbers. Read it before you send it.\n",
      stamp("%Y-%m-%dT%H:%M:%SZ"));
  for (const support_section& s : sections)
    text += fmt::format("\n== {} ==\n{}", s.name, terminal::fit(terminal::lines{s.text}));
  return text;
}

std::string json_of(const std::vector<support_section>& sections) {
  json::array all;
  for (const support_section& s : sections)
    all.push_back(json::object{{"name", s.name}, {"text", s.text}});
  return json::serialize(
      json::object{{"written_at", stamp("%Y-%m-%dT%H:%M:%SZ")}, {"sections", std::move(all)}});
}

// A new file that nobody else may read.
void write_new(const std::string& file, const std::string& text) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  const auto refuse = [&] {
    const int error = errno;
    throw refusal(exit_code::failed, fmt::format("cannot write {}: {}", file, std::strerror(error)),
                  error == EEXIST ? "name another file with --output"
                                  : "name a file that can be written with --output");
  };
  if (fd < 0) refuse();
  std::string_view left = text;
  while (!left.empty()) {
    const ssize_t written = ::write(fd, left.data(), left.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int error = errno;
      ::close(fd);
      errno = error;
      refuse();
    }
    left.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::close(fd) != 0) refuse();
}

}  // namespace

exit_code command_support(const invocation& asked) {
  const std::vector<support_section> sections = sections_of(asked);
  const bool shown = asked.output == "-" || (asked.json && asked.output.empty());
  const std::string text =
      asked.json ? terminal::printable_json(json_of(sections)) + "\n" : text_of(sections);
  if (shown) {
    terminal::print("{}", terminal::verbatim{text});
    return exit_code::done;
  }
  const std::string file = asked.output.empty()
                               ? fmt::format("flanks-sync-support-{}.txt", stamp("%Y%m%dT%H%M%SZ"))
                               : asked.output;
  write_new(file, text);
  terminal::print(stderr, "written to {}; read it before you send it\n", file);
  return exit_code::done;
}

}  // namespace flanks
