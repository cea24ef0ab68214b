// successions list, show, confirm, reject: a person decides whether a credential takes over a real
// account from another one.
#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>

#include "daemon/commands/commands.hpp"
#include "daemon/terminal.hpp"
#include "db/commands/succession_reviews.hpp"

namespace flanks {

namespace {

namespace json = boost::json;

using succession_reviews::succession;

json::value text_or_null(const std::string& text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

json::object succession_object(const succession& s) {
  return {{"succession_id", s.id},
          {"real_account_id", s.real_account},
          {"product", s.product},
          {"iban", text_or_null(s.iban)},
          {"from_credential_id", s.from.value},
          {"to_credential_id", s.to.value},
          {"state", s.state},
          {"compared_rows", s.compared},
          {"paired_rows", s.paired},
          {"succeeded_rows", s.succeeded},
          {"first_day", text_or_null(s.first_day)},
          {"raised_at", s.raised_at},
          {"decided_by", text_or_null(s.decided_by)}};
}

json::array operations_array(const std::vector<successions::operation>& operations) {
  json::array all;
  for (const successions::operation& o : operations) {
    all.push_back(json::object{{"_id", o.id},
                               {"operation_date", o.day},
                               {"amount", o.amount},
                               {"currency", text_or_null(o.currency)},
                               {"description", text_or_null(o.description)}});
  }
  return all;
}

json::object shown_object(const succession& s) {
  json::object o = succession_object(s);
  o["unpaired_from_rows"] = s.unpaired.from_rows;
  o["unpaired_to_rows"] = s.unpaired.to_rows;
  o["unpaired_from"] = operations_array(s.unpaired.from);
  o["unpaired_to"] = operations_array(s.unpaired.to);
  return o;
}

// Enough to tell accounts apart, and no more.
std::string masked(const std::string& iban) {
  if (iban.size() <= 8) return iban.empty() ? "-" : iban;
  return iban.substr(0, 4) + "..." + iban.substr(iban.size() - 4);
}

std::string evidence_of(const succession& s) {
  return fmt::format("{} of {} pair", terminal::grouped(s.paired), terminal::grouped(s.compared));
}

void print_successions(const std::vector<succession>& all) {
  if (all.empty()) {
    terminal::print("nothing to decide\n");
    return;
  }
  using terminal::align;
  const auto now = std::chrono::system_clock::now();
  terminal::table table({{"id", align::right},
                         {"from", align::right},
                         {"to", align::right},
                         {"product"},
                         {"iban"},
                         {"evidence"},
                         {"removed", align::right},
                         {"state"},
                         {"since"}});
  for (const succession& s : all) {
    table.add({std::to_string(s.id), std::to_string(s.from.value), std::to_string(s.to.value),
               s.product, masked(s.iban), evidence_of(s), terminal::grouped(s.succeeded), s.state,
               terminal::ago(s.raised_at, now)});
  }
  table.print();
}

void print_unpaired(credential_id shows, std::int64_t rows,
                    const std::vector<successions::operation>& operations) {
  if (operations.empty()) return;
  terminal::print("\nonly credential {} shows, on days that both have read:\n", shows.value);
  terminal::table table({{"_id"},
                         {"operation date"},
                         {"amount", terminal::align::right},
                         {"currency"},
                         {"description"}});
  for (const successions::operation& o : operations)
    table.add({o.id, o.day, o.amount, o.currency, o.description});
  table.print();
  const std::int64_t more = rows - static_cast<std::int64_t>(operations.size());
  if (more > 0) terminal::print("... and {} more, older\n", terminal::grouped(more));
}

void print_succession(const succession& s) {
  terminal::print("succession {}: {} {} from credential {} to credential {}: {}\n", s.id, s.product,
                  masked(s.iban), s.from.value, s.to.value, s.state);
  terminal::print("{}; the new credential shows days from {} on; {} removed by it\n",
                  evidence_of(s), s.first_day.empty() ? "-" : s.first_day,
                  terminal::amount(s.succeeded, "operation"));
  print_unpaired(s.from, s.unpaired.from_rows, s.unpaired.from);
  print_unpaired(s.to, s.unpaired.to_rows, s.unpaired.to);
}

void print_decided(const succession& s) {
  if (s.state == "confirmed") {
    terminal::print(
        "credential {} speaks for the account from {} on: {} of credential {} removed\n",
        s.to.value, s.first_day, terminal::amount(s.succeeded, "operation"), s.from.value);
  } else {
    terminal::print("credentials {} and {} stay two; this is not raised again\n", s.from.value,
                    s.to.value);
  }
}

}  // namespace

exit_code command_successions(const invocation& asked) {
  const configuration c = configure(asked, config::secret_scope::database);
  const db_options options = database_options(c);
  if (asked.what == command::successions_list) {
    const std::vector<succession> found = succession_reviews::list(options, asked.all);
    json::array all;
    for (const succession& s : found)
      all.push_back(succession_object(s));
    if (asked.json) {
      terminal::print_json(json::serialize(all));
    } else {
      print_successions(found);
    }
    return exit_code::done;
  }
  if (asked.what != command::successions_show) require_schema(c);
  const succession s = asked.what == command::successions_show
                           ? succession_reviews::show(options, asked.succession)
                       : asked.what == command::successions_confirm
                           ? succession_reviews::confirm(options, asked.succession)
                           : succession_reviews::reject(options, asked.succession);
  if (asked.json) {
    terminal::print_json(json::serialize(
        asked.what == command::successions_show ? shown_object(s) : succession_object(s)));
  } else if (asked.what == command::successions_show) {
    print_succession(s);
  } else {
    print_decided(s);
  }
  return exit_code::done;
}

}  // namespace flanks
