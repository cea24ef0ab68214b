// erase: a person's data, for good.
#include <fmt/format.h>
#include <unistd.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <iostream>
#include <string>

#include "daemon/commands/commands.hpp"
#include "daemon/terminal.hpp"
#include "db/commands/erase.hpp"

namespace flanks {

namespace {

namespace json = boost::json;

std::string joined(const std::vector<credential_id>& ids) {
  std::string text;
  for (const credential_id id : ids)
    text += (text.empty() ? "" : ", ") + std::to_string(id.value);
  return text.empty() ? "none" : text;
}

void print_plan(const invocation& asked, const erase_report& plan) {
  terminal::print(stderr, "user {}\n  credentials erased with all their data: {}\n", asked.user,
                  joined(plan.erased));
  if (!plan.kept.empty()) {
    terminal::print(stderr, "  credentials that stay, because they are another user's too: {}\n",
                    joined(plan.kept));
  }
}

// A person types the name again; a script says --yes.
void confirm(const invocation& asked, const erase_report& plan) {
  print_plan(asked, plan);
  if (isatty(STDIN_FILENO) == 0) {
    throw refusal(exit_code::usage, "erase cannot be undone and was not confirmed",
                  "add --yes to erase without being asked");
  }
  terminal::print(stderr, "This cannot be undone. Type the user's name to go on: ");
  std::string typed;
  std::getline(std::cin, typed);
  if (typed != asked.user)
    throw refusal(exit_code::failed, "that is not the user's name; nothing was erased");
}

json::array array_of(const std::vector<credential_id>& ids) {
  json::array out;
  for (const credential_id id : ids)
    out.emplace_back(id.value);
  return out;
}

void print_json(const erase_report& done) {
  json::object rows;
  for (const erased_table& t : done.tables)
    rows[t.name] = t.rows;
  terminal::print_json(json::serialize(json::object{{"erased", array_of(done.erased)},
                                                    {"kept", array_of(done.kept)},
                                                    {"handed_over", done.handed_over},
                                                    {"deleted_rows", rows}}));
}

void print_people(const invocation& asked, const erase_report& done) {
  terminal::table table({{"table"}, {"rows deleted", terminal::align::right}});
  for (const erased_table& t : done.tables)
    table.add({t.name, terminal::grouped(t.rows)});
  table.print();
  terminal::print("user {} is erased: credentials {}\n", asked.user, joined(done.erased));
  if (!done.kept.empty())
    terminal::print("credentials {} stay: they are another user's too\n", joined(done.kept));
  if (done.handed_over > 0) {
    terminal::print("{} operations of joint accounts stay: another user's credential shows them\n",
                    terminal::grouped(done.handed_over));
  }
}

}  // namespace

exit_code command_erase(const invocation& asked) {
  const configuration c = configure(asked, config::secret_scope::database);
  require_schema(c);  // a newer one may have tables that would be passed over
  const db_options database = database_options(c);
  const user_id user{asked.user};
  if (!asked.yes) confirm(asked, preview_erase(database, user));
  const erase_report done = erase_user(database, user);
  if (asked.json) {
    print_json(done);
  } else {
    print_people(asked, done);
  }
  return exit_code::done;
}

}  // namespace flanks
