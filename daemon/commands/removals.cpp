// removals list, confirm, reject: a person decides about rows that vanished at once.
#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <cstdio>

#include "daemon/commands/commands.hpp"
#include "daemon/terminal.hpp"
#include "db/commands/removal_reviews.hpp"
#include "sync/text.hpp"

namespace flanks {

namespace {

namespace json = boost::json;

json::value or_null(const std::optional<std::string>& text) {
  return text ? json::value(*text) : json::value(nullptr);
}

json::object object_of(const removal_reviews::review& r) {
  json::array examples;
  for (const std::string& id : r.examples)
    examples.emplace_back(id);
  return {{"sync_run_id", r.sync_run_id},
          {"credential_id", r.credential.value},
          {"product", r.what},
          {"reason", r.reason},
          {"state", r.state},
          {"raised_at", r.raised_at},
          {"stored_rows", r.stored},
          {"missing_rows", r.missing},
          {"first_day", or_null(r.first)},
          {"last_day", or_null(r.last)},
          {"examples", examples}};
}

std::string words_of(const removal_reviews::review& r) {
  return r.reason == "empty_answer" ? "the answer was empty" : "too many at once";
}

void print_list(const std::vector<removal_reviews::review>& reviews) {
  if (reviews.empty()) {
    terminal::print("nothing to decide\n");
    return;
  }
  using terminal::align;
  const auto now = std::chrono::system_clock::now();
  terminal::table table({{"run"},
                         {"credential", align::right},
                         {"product"},
                         {"missing", align::right},
                         {"of", align::right},
                         {"days"},
                         {"why"},
                         {"state"},
                         {"since"}});
  for (const removal_reviews::review& r : reviews) {
    const std::string days = r.first ? *r.first + ".." + r.last.value_or("") : "-";
    table.add({r.sync_run_id, std::to_string(r.credential.value), r.what,
               terminal::grouped(r.missing), terminal::grouped(r.stored), days, words_of(r),
               r.state, terminal::ago(r.raised_at, now)});
  }
  table.print();
  terminal::print(stderr,
                  "the rows: select t.* from flanks.removal_candidates join flanks.transactions t "
                  "using (_id) where sync_run_id = 'RUN'\n"
                  "then: flanks-sync removals confirm RUN, or flanks-sync removals reject RUN\n");
}

void print_decision(const invocation& asked, const removal_reviews::decision_made& made,
                    bool confirmed) {
  if (asked.json) {
    json::object o = object_of(made.about);
    o["state"] = confirmed ? "confirmed" : "rejected";
    o["removed_rows"] = made.removed;
    terminal::print_json(json::serialize(o));
  } else if (confirmed) {
    terminal::print("{} of {} {} marked as removed\n", terminal::grouped(made.removed),
                    terminal::amount(made.about.missing, "row"), plural(made.removed, "is", "are"));
  } else {
    const bool one = made.about.missing == 1;
    terminal::print("{} {}; {} not raise this again until the provider has shown {}\n",
                    terminal::amount(made.about.missing, "row"), one ? "stays" : "stay",
                    one ? "it does" : "they do", one ? "it" : "them");
  }
}

}  // namespace

exit_code command_removals(const invocation& asked) {
  const configuration c = configure(asked, config::secret_scope::database);
  const db_options options = database_options(c);
  if (asked.what == command::removals_list) {
    const std::vector<removal_reviews::review> reviews = removal_reviews::list(options, asked.all);
    json::array all;
    for (const removal_reviews::review& r : reviews)
      all.push_back(object_of(r));
    if (asked.json) {
      terminal::print_json(json::serialize(all));
    } else {
      print_list(reviews);
    }
    return exit_code::done;
  }
  require_schema(c);
  const bool confirmed = asked.what == command::removals_confirm;
  print_decision(asked,
                 confirmed ? removal_reviews::confirm(options, asked.review)
                           : removal_reviews::reject(options, asked.review),
                 confirmed);
  return exit_code::done;
}

}  // namespace flanks
