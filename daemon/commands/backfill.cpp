// backfill: all history, with a live bar and a summary; resumable.
#include "daemon/backfill.hpp"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>

#include "daemon/commands/commands.hpp"
#include "daemon/scheduler.hpp"
#include "daemon/terminal.hpp"
#include "sync/text.hpp"
#include "sync/window.hpp"

namespace flanks {

namespace {

namespace asio = boost::asio;
namespace json = boost::json;

json::object counts_object(const row_counts& c) {
  return {{"fetched", c.fetched},     {"inserted", c.inserted},     {"updated", c.updated},
          {"unchanged", c.unchanged}, {"duplicates", c.duplicates}, {"quarantined", c.quarantined},
          {"removed", c.removed}};
}

row_counts sum(const backfill_result& r) {
  row_counts all;
  for (const auto& [what, totals] : r.products)
    all += totals.counts;
  return all;
}

void print_json(const backfill_result& r) {
  json::object products;
  for (const auto& [what, totals] : r.products) {
    products[to_string(what)] = json::object{{"windows", totals.windows},
                                             {"failed", totals.failed},
                                             {"not_available", totals.not_available},
                                             {"counts", counts_object(totals.counts)}};
  }
  json::array incomplete;
  for (const incomplete_credential& c : r.incomplete) {
    incomplete.push_back(
        json::object{{"credential_id", c.id.value},
                     {"error_message", c.error},
                     {"error_hint", c.hint.empty() ? json::value(nullptr) : json::value(c.hint)}});
  }
  const json::object whole{{"backfill_id", r.plan.backfill_id},
                           {"resumed", r.plan.resumed},
                           {"window_from", to_string(r.plan.days.from)},
                           {"window_to", to_string(r.plan.days.to)},
                           {"credentials", r.plan.credentials},
                           {"items", r.plan.items},
                           {"open_items", r.open_items},
                           {"interrupted", r.interrupted},
                           {"seconds", static_cast<double>(r.took.count()) / 1000.0},
                           {"counts", counts_object(sum(r))},
                           {"products", products},
                           {"incomplete", incomplete}};
  terminal::print_json(json::serialize(whole));
}

void add_line(terminal::table& table, std::string_view name, const product_totals& t) {
  const auto n = [](std::int64_t value) {
    return value == 0 ? std::string("-") : terminal::grouped(value);
  };
  table.add({std::string(name), n(t.windows), n(t.counts.fetched), n(t.counts.inserted),
             n(t.counts.updated), n(t.counts.unchanged), n(t.counts.removed),
             n(t.counts.quarantined), n(t.not_available), n(t.failed)});
}

void print_table(const backfill_result& r) {
  using terminal::align;
  terminal::table table({{"product"},
                         {"windows", align::right},
                         {"fetched", align::right},
                         {"inserted", align::right},
                         {"updated", align::right},
                         {"unchanged", align::right},
                         {"removed", align::right},
                         {"quarantined", align::right},
                         {"not ready", align::right},
                         {"failed", align::right}});
  product_totals all;
  for (const auto& [what, totals] : r.products) {
    add_line(table, to_string(what), totals);
    all.windows += totals.windows;
    all.failed += totals.failed;
    all.not_available += totals.not_available;
    all.counts += totals.counts;
  }
  add_line(table, "total", all);
  table.print();
}

void print_people(const backfill_result& r) {
  constexpr std::size_t shown = 20;
  print_table(r);
  for (std::size_t i = 0; i < std::min(r.incomplete.size(), shown); ++i) {
    const incomplete_credential& c = r.incomplete[i];
    terminal::print("credential {}: {}\n", c.id.value, c.error);
    if (!c.hint.empty()) terminal::print("  hint: {}\n", c.hint);
  }
  if (r.incomplete.size() > shown)
    terminal::print("... and {} more: flanks-sync status\n", r.incomplete.size() - shown);
  const double seconds = std::max(static_cast<double>(r.took.count()) / 1000.0, 0.001);
  const std::int64_t fetched = sum(r).fetched;
  terminal::print(
      "{} to {}: {} of {} done, {} in {:.1f} s ({} rows/s)\n", to_string(r.plan.days.from),
      to_string(r.plan.days.to), r.plan.items - r.open_items, counted(r.plan.items, "window"),
      terminal::amount(fetched, "row"), seconds,
      terminal::grouped(static_cast<std::int64_t>(static_cast<double>(fetched) / seconds)));
  if (r.open_items > 0 && !r.interrupted) {
    terminal::print(stderr, "{} still open: run the same backfill again, it goes on from here\n",
                    counted(r.open_items, "window is", "windows are"));
  }
}

backfill_request request_of(const invocation& asked, const engine& e) {
  const config::sync_settings& sync = e.settings.values().sync;
  backfill_request request;
  request.who = asked.who;
  if (request.who.products.empty()) request.who.products = sync.products;
  const day today = day_of(e.clock->now());
  request.days = history(today, sync.history_months);
  request.explicit_days = asked.from.has_value();
  if (asked.from) request.days = {*asked.from, asked.to.value_or(today)};
  if (request.days.to < request.days.from)
    throw refusal(exit_code::usage, "--from lies in the future");
  request.restart = asked.restart;
  request.concurrency = sync.concurrency;
  return request;
}

exit_code preview(engine& e, const backfill_request& request, bool as_json) {
  backfill_plan plan;
  auto story = [&]() -> asio::awaitable<void> {
    plan = co_await e.db->preview_backfill(request.who, request.days, request.explicit_days,
                                           request.restart);
  };
  e.run(story(), [] {});
  tell_left_out(plan.paused);
  if (as_json) {
    const json::object whole{{"resumed", plan.resumed},
                             {"window_from", to_string(plan.days.from)},
                             {"window_to", to_string(plan.days.to)},
                             {"credentials", plan.credentials},
                             {"items", plan.items},
                             {"items_done", plan.items_done}};
    terminal::print_json(json::serialize(whole));
  } else {
    terminal::print("would {}: {} to {}, {}, {}, {} of them done already; nothing was written\n",
                    plan.resumed ? "resume an unfinished backfill" : "start a new backfill",
                    to_string(plan.days.from), to_string(plan.days.to),
                    counted(plan.credentials, "credential"), counted(plan.items, "window"),
                    plan.items_done);
  }
  return exit_code::done;
}

// The backfill with its line of progress beside it.
asio::awaitable<void> with_progress(backfill& work, engine& e, backfill_result& result) {
  task_group line(e.executor);
  line.spawn(show_progress(work.numbers(), stderr, *e.clock));
  std::exception_ptr error;
  try {
    result = co_await work.run();
  } catch (...) {
    error = std::current_exception();
  }
  line.cancel();
  co_await line.join();
  clear_progress(stderr);
  if (error) std::rethrow_exception(error);
}

}  // namespace

exit_code command_backfill(const invocation& asked) {
  engine e(asked, configure(asked, config::secret_scope::all));
  require_database(e, asked.migrate && !asked.dry_run);
  // On a terminal the line of progress tells what goes well; the log tells what does not.
  if (!asked.level && terminal::is_live(stderr)) e.events->set_level(config::log_level::warn);
  const backfill_request request = request_of(asked, e);
  if (asked.dry_run) return preview(e, request, asked.json);
  logging_observer observer(*e.events, config::log_level::debug);
  const mirror_tools mirror{*e.api, *e.db, *e.clock, observer, e.policy};
  backfill work(worker_tools{e.executor, mirror, *e.events, e.settings.values().sync.lease},
                request);
  backfill_result result;
  e.run(with_progress(work, e, result), [&] { work.stop(); });
  tell_left_out(result.plan.paused);
  if (asked.json) {
    print_json(result);
  } else {
    print_people(result);
  }
  if (result.stopped_by) throw failure(*result.stopped_by);
  if (result.unreachable && result.complete == 0) throw failure(*result.unreachable);
  if (result.interrupted && result.open_items > 0) {
    terminal::print(stderr,
                    "error: interrupted with {} open; nothing is half stored\n"
                    "hint: run the same backfill again, it goes on from here\n",
                    counted(result.open_items, "window"));
    return e.interrupted_code();
  }
  return result.incomplete.empty() ? exit_code::done : exit_code::some_failed;
}

}  // namespace flanks
