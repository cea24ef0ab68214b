// prune: deletes what `retention:` no longer keeps, now.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <vector>

#include "daemon/commands/commands.hpp"
#include "daemon/terminal.hpp"
#include "db/commands/prune.hpp"

namespace flanks {

namespace {

namespace json = boost::json;

json::array pruned_json(const invocation& asked, const std::vector<pruned_rows>& lines) {
  json::array all;
  for (const pruned_rows& line : lines) {
    all.push_back(
        json::object{{"table", line.table},
                     {"key", line.key},
                     {"older_than", line.older_than.empty() ? json::value(nullptr)
                                                            : json::value(line.older_than)},
                     {"rows", line.rows},
                     {"dry_run", asked.dry_run}});
  }
  return all;
}

void print_pruned(const invocation& asked, const std::vector<pruned_rows>& lines) {
  using terminal::align;
  terminal::table table({{"table"},
                         {asked.dry_run ? "would be deleted" : "deleted", align::right},
                         {"older than"},
                         {"key"}});
  for (const pruned_rows& line : lines) {
    table.add({line.table, terminal::grouped(line.rows),
               line.older_than.empty() ? "never" : terminal::local(line.older_than), line.key});
  }
  table.print();
}

}  // namespace

exit_code command_prune(const invocation& asked) {
  const configuration c = configure(asked, config::secret_scope::database);
  require_schema(c);
  const std::vector<pruned_rows> lines =
      prune_now(database_options(c), c.values().retention,
                asked.dry_run ? pruning::mode::dry_run : pruning::mode::remove);
  if (asked.json) {
    terminal::print_json(json::serialize(pruned_json(asked, lines)));
  } else {
    print_pruned(asked, lines);
  }
  return exit_code::done;
}

}  // namespace flanks
