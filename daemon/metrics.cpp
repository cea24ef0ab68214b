#include "daemon/metrics.hpp"

#include <prometheus/text_serializer.h>

#include <locale>
#include <sstream>

#include "daemon/metrics/database.hpp"
#include "daemon/metrics/mirror.hpp"
#include "daemon/metrics/problem_labels.hpp"
#include "daemon/metrics/process.hpp"
#include "daemon/metrics/provider.hpp"
#include "daemon/metrics/work.hpp"

namespace flanks {

namespace {

void add_daemon(const database_view& database, const daemon_view& daemon, families& to) {
  told_family build("flanks_build_info", "Which flanks-sync this is; always 1.");
  build.add(1, {{"version", FLANKS_SYNC_VERSION}}).into(to);
  told_family ready("flanks_ready", "1 when the daemon can do its work, as /-/ready says.");
  ready.add(daemon.ready ? 1 : 0).into(to);
  told_family problems(
      "flanks_mirror_problems",
      "What keeps this daemon from its work (the reasons of /-/ready), or was "
      "refused (a reload), by what is wrong and who must act; always 1. check is "
      "that of flanks-sync doctor; meaning and hint are those of "
      "flanks.error_classes; of a schema that does not fit, the hint is that of /-/ready.");
  for (const finding& f : daemon.problems) {
    auto all = problem_labels(f.error_class, std::string(who_must_act(f)));
    // Of its error class that would be what helps as a rule: here it is known which way.
    if (f.check == "schema") {
      for (auto& label : all)
        if (label.name == "hint") label.value = f.hint;
    }
    all.push_back({"check", f.check});
    problems.add(1, std::move(all));
  }
  problems.into(to);
  told_family up("flanks_database_up", "1 when the database answered this scrape in time.");
  up.add(database.up ? 1 : 0).into(to);
  told_family look("flanks_last_look_timestamp_seconds",
                   "When the daemon last looked for due credentials and had an answer, in seconds "
                   "since 1970.");
  look.add(daemon.last_look ? in_seconds(daemon.last_look->time_since_epoch()) : 0).into(to);
  told_family workers("flanks_workers",
                      "Credentials that this daemon may work on at once (sync.concurrency).");
  workers.add(daemon.workers).into(to);
  told_family in_hand("flanks_workers_busy", "Credentials that this daemon works on now.");
  in_hand.add(daemon.in_hand).into(to);
  told_family lines("flanks_log_lines_dropped_total",
                    "Lines of the log that this process dropped, because those before them were "
                    "not taken in time.",
                    prometheus::MetricType::Counter);
  lines.add(static_cast<double>(daemon.log_lines_dropped)).into(to);
  told_family clocks("flanks_clock_ahead_seconds",
                     "By how many seconds that clock (provider, database) was ahead of this "
                     "machine's when they were last compared; negative: behind.");
  if (daemon.provider_ahead)
    clocks.add(in_seconds(*daemon.provider_ahead), {{"clock", "provider"}});
  if (daemon.database_ahead)
    clocks.add(in_seconds(*daemon.database_ahead), {{"clock", "database"}});
  clocks.into(to);
  told_family reload(
      "flanks_config_last_reload_successful",
      "0 when the last reload of the configuration (SIGHUP) failed, and the old one stays; "
      "else 1.");
  reload.add(daemon.reload_failed ? 0 : 1).into(to);
  told_family configured("flanks_config_last_reload_success_timestamp_seconds",
                         "Since when the configuration is in effect, in seconds since 1970.");
  configured.add(in_seconds(daemon.configured_at.time_since_epoch())).into(to);
}

}  // namespace

struct metrics::parts {
  work_metrics work;
  provider_metrics provider;
  database_metrics database;
  process_metrics process;
};

metrics::metrics() : parts_(std::make_unique<parts>()) {}
metrics::~metrics() = default;

void metrics::count(const run_record& record) {
  parts_->work.count(record);
}

void metrics::count(const product_run& run) {
  parts_->work.count(run);
}

void metrics::count_unrecorded() {
  parts_->work.count_unrecorded();
}

void metrics::waited(std::chrono::nanoseconds time) {
  parts_->provider.waited(time);
}

void metrics::lagged(std::chrono::nanoseconds time) {
  parts_->process.lagged(time);
}

std::optional<std::chrono::seconds> metrics::provider_ahead() const {
  return parts_->provider.ahead();
}

request_observer& metrics::requests() {
  return parts_->provider;
}

db_observer& metrics::database() {
  return parts_->database;
}

std::string metrics::text(const database_view& database, const rate_totals& rates,
                          const daemon_view& daemon) const {
  families all;
  add_daemon(database, daemon, all);
  add_gauges(database.up ? database.gauges : nullptr, all);
  parts_->work.collect(all);
  parts_->provider.collect(all, rates);
  parts_->database.collect(all);
  parts_->process.collect(all);
  std::ostringstream out;
  out.imbue(std::locale::classic());
  prometheus::TextSerializer().Serialize(out, all);
  return out.str();
}

}  // namespace flanks
