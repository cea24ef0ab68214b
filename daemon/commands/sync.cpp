// sync: some credentials now, due or not.
#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>

#include "daemon/commands/commands.hpp"
#include "daemon/scheduler.hpp"
#include "daemon/task_group.hpp"
#include "daemon/terminal.hpp"
#include "daemon/worker.hpp"

namespace flanks {

namespace {

namespace asio = boost::asio;
namespace json = boost::json;

struct sync_line {
  credential_id id;
  bool locked = false;  // another worker holds its lease
  std::optional<credential_report> report;
};

class sync_story {
 public:
  sync_story(const invocation& asked, engine& e)
      : asked_(asked), engine_(e), observer_(*e.events, config::log_level::debug) {}

  asio::awaitable<void> tell() {
    task_group group(engine_.executor);
    const chosen_credentials chosen = co_await engine_.db->resolve(asked_.who);
    tell_left_out(static_cast<std::int64_t>(chosen.paused.size()));
    const auto limit = static_cast<std::size_t>(engine_.settings.values().sync.concurrency);
    for (const credential_id id : chosen.ids) {
      while (group.size() >= limit)
        co_await group.wait(std::chrono::hours{1});
      if (stopping_) break;
      group.spawn(one(id));
    }
    co_await group.join();
  }

  void stop() { stopping_ = true; }
  [[nodiscard]] const std::vector<sync_line>& lines() const { return lines_; }

 private:
  asio::awaitable<void> one(credential_id id) {
    sync_line line;
    line.id = id;
    std::optional<claimed_credential> credential = co_await engine_.db->claim(id);
    line.locked = !credential;
    if (credential) {
      assignment job;
      job.credential = std::move(*credential);
      job.run_id = run_id_;
      job.why = trigger::manual;
      job.force = true;
      job.products = asked_.who.products;
      const mirror_tools mirror{*engine_.api, *engine_.db, *engine_.clock, observer_,
                                engine_.policy};
      const worker_tools tools{engine_.executor, mirror, *engine_.events,
                               engine_.settings.values().sync.lease};
      line.report = co_await work(tools, std::move(job));
    }
    lines_.push_back(std::move(line));
  }

  const invocation& asked_;
  engine& engine_;
  logging_observer observer_;
  std::vector<sync_line> lines_;
  std::string run_id_ = new_run_id();
  bool stopping_ = false;
};

std::string outcome_of(const sync_line& line) {
  if (line.locked) return "locked";
  if (!line.report) return "interrupted";
  if (!line.report->ok()) return "failed";
  if (line.report->suspicious > 0) return "suspicious";
  if (line.report->partial()) return "partial";
  return line.report->windows_stored == 0 ? "not_available" : "ok";
}

json::value message_or_null(const std::string& text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

void print_json(const std::vector<sync_line>& lines) {
  json::array all;
  for (const sync_line& line : lines) {
    json::object o{{"credential_id", line.id.value}, {"outcome", outcome_of(line)}};
    if (line.report) {
      const row_counts& c = line.report->counts;
      o["fetched"] = c.fetched;
      o["inserted"] = c.inserted;
      o["updated"] = c.updated;
      o["unchanged"] = c.unchanged;
      o["removed"] = c.removed;
      o["quarantined"] = c.quarantined;
      const bool refused = line.report->error.empty();
      o["error_message"] = message_or_null(refused ? line.report->refusal : line.report->error);
      o["error_hint"] = message_or_null(refused ? line.report->refusal_hint : line.report->hint);
    }
    all.push_back(std::move(o));
  }
  terminal::print_json(json::serialize(all));
}

void print_people(const std::vector<sync_line>& lines) {
  using terminal::align;
  terminal::table table({{"credential", align::right},
                         {"outcome"},
                         {"fetched", align::right},
                         {"inserted", align::right},
                         {"updated", align::right},
                         {"unchanged", align::right},
                         {"removed", align::right},
                         {"error"}});
  for (const sync_line& line : lines) {
    const row_counts c = line.report ? line.report->counts : row_counts{};
    std::string error = line.report ? line.report->error : "";
    if (line.report && error.empty()) error = line.report->suspicion;
    if (line.report && error.empty()) error = line.report->refusal;
    if (line.locked) error = "another worker holds its lease; try again in a moment";
    const std::string outcome = outcome_of(line);
    table.add({std::to_string(line.id.value),
               outcome == "not_available" ? "not available" : outcome, terminal::grouped(c.fetched),
               terminal::grouped(c.inserted), terminal::grouped(c.updated),
               terminal::grouped(c.unchanged), terminal::grouped(c.removed), error});
  }
  table.print();
}

exit_code code_of(const std::vector<sync_line>& lines, const engine& e) {
  bool locked = false;
  bool bad = false;
  bool reached = false;
  std::optional<failure> unreachable;
  for (const sync_line& line : lines) {
    locked = locked || line.locked;
    bad = bad || (line.report &&
                  (!line.report->ok() || line.report->partial() || line.report->suspicious > 0));
    if (line.report && line.report->unreachable) unreachable = line.report->unreachable;
    reached = reached || (line.report && line.report->ok());
    if (line.report && line.report->stopped_by) return exit_code_of(*line.report->stopped_by);
    if (!line.locked && !line.report && e.caught() != 0) return e.interrupted_code();
    bad = bad || (!line.locked && !line.report);
  }
  if (unreachable && !reached) throw failure(*unreachable);
  if (bad) return exit_code::some_failed;
  return locked ? exit_code::try_again : exit_code::done;
}

}  // namespace

exit_code command_sync(const invocation& asked) {
  engine e(asked, configure(asked, config::secret_scope::all));
  require_database(e, false);
  sync_story story(asked, e);
  e.run(story.tell(), [&] { story.stop(); });
  if (asked.json) {
    print_json(story.lines());
  } else {
    print_people(story.lines());
  }
  return code_of(story.lines(), e);
}

}  // namespace flanks
