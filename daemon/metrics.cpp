#include "daemon/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <string_view>

namespace flanks {

namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::MetricFamily;

constexpr std::array outcomes{outcome::ok,
                              outcome::partial,
                              outcome::failed,
                              outcome::suspicious,
                              outcome::unchanged_upstream,
                              outcome::not_available};
constexpr std::array proof_words{"equal", "different", "not_verifiable", "failed"};
constexpr std::array state_words{"new",   "pending", "ok",   "stale",  "action_required", "blocked",
                                 "error", "gone",    "paused", "removed"};

struct row_kind {
  const char* name;
  std::int64_t row_counts::*count;
};
constexpr std::array<row_kind, 7> row_kinds{{{"fetched", &row_counts::fetched},
                                             {"inserted", &row_counts::inserted},
                                             {"updated", &row_counts::updated},
                                             {"unchanged", &row_counts::unchanged},
                                             {"removed", &row_counts::removed},
                                             {"quarantined", &row_counts::quarantined},
                                             {"duplicates", &row_counts::duplicates}}};

Family<Counter>& counter(prometheus::Registry& in, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(in);
}

// From the beginning at zero, so that the first increase is seen as one.
void add_product(const std::string& name, Family<Counter>& runs, Family<Counter>& rows) {
  for (const outcome o : outcomes)
    runs.Add({{"product", name}, {"outcome", std::string(to_string(o))}});
  for (const row_kind& k : row_kinds)
    rows.Add({{"product", name}, {"kind", k.name}});
}

void add(const std::string& name, outcome how, const row_counts& counts, Family<Counter>& runs,
         Family<Counter>& rows) {
  runs.Add({{"product", name}, {"outcome", std::string(to_string(how))}}).Increment();
  for (const row_kind& k : row_kinds)
    rows.Add({{"product", name}, {"kind", k.name}}).Increment(static_cast<double>(counts.*k.count));
}

// Numbers that somebody else keeps.
class gauge_family {
 public:
  gauge_family(const char* name, const char* help,
               prometheus::MetricType type = prometheus::MetricType::Gauge) {
    family_.name = name;
    family_.help = help;
    family_.type = type;
  }
  gauge_family& add(double value, std::vector<prometheus::ClientMetric::Label> labels = {}) {
    prometheus::ClientMetric metric;
    metric.label = std::move(labels);
    metric.gauge.value = metric.counter.value = value;
    family_.metric.push_back(std::move(metric));
    return *this;
  }
  [[nodiscard]] MetricFamily take() { return std::move(family_); }

 private:
  MetricFamily family_;
};

void add_states(const mirror_gauges& g, std::vector<MetricFamily>& to) {
  gauge_family count("flanks_credentials", "Credentials by state, as in flanks.sync_status.");
  gauge_family lag("flanks_oldest_lag_seconds",
                   "The longest time, in seconds, since the mirror of a credential in this state "
                   "was last known to agree with the provider (since it was registered, where it "
                   "never was).");
  for (const std::string_view word : state_words) {
    mirror_gauges::in_state found;
    for (const mirror_gauges::in_state& s : g.states)
      if (s.state == word) found = s;
    count.add(static_cast<double>(found.credentials), {{"state", std::string(word)}});
    if (word != "paused" && word != "removed")
      lag.add(static_cast<double>(found.oldest_lag.count()), {{"state", std::string(word)}});
  }
  gauge_family due("flanks_credentials_due", "Credentials that wait for a free worker.");
  due.add(static_cast<double>(g.due));
  to.push_back(count.take());
  to.push_back(due.take());
  to.push_back(lag.take());
}

void add_refreshes(const mirror_gauges& g, std::vector<MetricFamily>& to) {
  gauge_family stale("flanks_stale_credentials",
                     "Credentials by bank that the provider has not refreshed for longer than "
                     "sync.stale_after.");
  std::optional<instant> oldest;
  for (const mirror_gauges::of_bank& b : g.banks) {
    stale.add(static_cast<double>(b.stale), {{"bank", b.bank}});
    if (b.oldest_refresh) oldest = std::min(oldest.value_or(*b.oldest_refresh), *b.oldest_refresh);
  }
  to.push_back(stale.take());
  if (!oldest) return;
  gauge_family at("flanks_oldest_provider_refresh_timestamp_seconds",
                  "When the provider refreshed the credential that it has left alone for longest, in "
                  "seconds since 1970.");
  at.add(static_cast<double>(oldest->time_since_epoch().count()));
  to.push_back(at.take());
}

void add_proofs(const mirror_gauges& g, std::vector<MetricFamily>& to) {
  gauge_family ended("flanks_verifications",
                     "Credentials by product and by how their latest flanks-sync verify ended, as "
                     "in flanks.verifications; of several windows the worst.");
  gauge_family differences("flanks_verification_differences",
                           "Operations that differed from the provider in the latest verifications "
                           "of all credentials, by product and kind of difference.");
  for (const product p : all_products) {
    const std::string name(to_string(p));
    mirror_gauges::proved sum;
    for (const std::string_view word : proof_words) {
      std::int64_t credentials = 0;
      for (const mirror_gauges::proved& v : g.proofs) {
        if (v.product != name || v.outcome != word) continue;
        credentials += v.credentials;
        sum.missing += v.missing, sum.extra += v.extra, sum.altered += v.altered;
      }
      ended.add(static_cast<double>(credentials),
                {{"product", name}, {"outcome", std::string(word)}});
    }
    differences.add(static_cast<double>(sum.missing), {{"product", name}, {"kind", "missing"}});
    differences.add(static_cast<double>(sum.extra), {{"product", name}, {"kind", "extra"}});
    differences.add(static_cast<double>(sum.altered), {{"product", name}, {"kind", "altered"}});
  }
  to.push_back(ended.take());
  to.push_back(differences.take());
  if (!g.last_verification) return;
  gauge_family last("flanks_last_verification_timestamp_seconds",
                    "When the latest verification ended, in seconds since 1970.");
  last.add(static_cast<double>(g.last_verification->time_since_epoch().count()));
  to.push_back(last.take());
}

void add_rates(const rate_totals& r, std::vector<MetricFamily>& to) {
  gauge_family pauses("flanks_provider_pauses_total",
                      "Pauses that the provider asked this process for (429, or 503 with "
                      "Retry-After). All processes of the database keep them.",
                      prometheus::MetricType::Counter);
  to.push_back(pauses.add(static_cast<double>(r.pauses)).take());
  double left = 0;
  if (r.paused_until)
    left =
        std::chrono::duration<double>(*r.paused_until - std::chrono::system_clock::now()).count();
  gauge_family pause(
      "flanks_provider_pause_seconds",
      "How long the provider's pause still lasts, in seconds; 0 when there is none.");
  to.push_back(pause.add(std::max(0.0, left)).take());
  gauge_family waited("flanks_rate_limit_wait_seconds_total",
                      "How long requests of this process waited for their turns, in seconds, all "
                      "together: under flanks.requests_per_second and in pauses.",
                      prometheus::MetricType::Counter);
  to.push_back(waited.add(std::chrono::duration<double>(r.waited).count()).take());
}

}  // namespace

struct metrics::counters {
  prometheus::Registry registry;
  Family<Counter>& windows =
      counter(registry, "flanks_windows_total",
              "Windows of transactions that ended in this process, by product and outcome, as in "
              "flanks.sync_runs; product \"none\": it ended before any product.");
  Family<Counter>& rows =
      counter(registry, "flanks_rows_total",
              "Transactions in those windows, by product and by what became of them: fetched is "
              "the sum of inserted, updated, unchanged, quarantined and duplicates.");
  Family<Counter>& lists = counter(registry, "flanks_product_lists_total",
                                   "Lists of products (accounts, holders, ...) that ended in this "
                                   "process, by product and outcome, as in flanks.product_runs.");
  Family<Counter>& list_rows =
      counter(registry, "flanks_product_list_rows_total",
              "Records of those lists, by product and by what became of them.");
  Family<Counter>& failures =
      counter(registry, "flanks_failures_total",
              "Windows and lists that failed in this process, by error_class.");
  Counter& unrecorded =
      counter(registry, "flanks_unrecorded_failures_total",
              "How often this process could not write down what had happened to a credential: a "
              "right, a trigger or row security of the database is in the way. The log says which.")
          .Add({});
};

metrics::metrics() : counters_(std::make_unique<counters>()) {
  for (const product p : all_products)
    add_product(std::string(to_string(p)), counters_->windows, counters_->rows);
  for (const product_kind k : all_product_kinds)
    add_product(std::string(to_string(k)), counters_->lists, counters_->list_rows);
}

metrics::~metrics() = default;

void metrics::count(const run_record& r) {
  const std::string name = r.what ? std::string(to_string(*r.what)) : "none";
  add(name, r.outcome, r.counts, counters_->windows, counters_->rows);
  if (r.outcome == outcome::failed)
    counters_->failures.Add({{"error_class", r.error_class}}).Increment();
}

void metrics::count_unrecorded() {
  counters_->unrecorded.Increment();
}

void metrics::count(const product_run& r) {
  add(std::string(to_string(r.what)), r.outcome, r.counts, counters_->lists, counters_->list_rows);
  if (r.outcome == outcome::failed)
    counters_->failures.Add({{"error_class", r.error_class}}).Increment();
}

std::string metrics::text(const database_view& database, const rate_totals& rates) const {
  std::vector<MetricFamily> all;
  gauge_family build("flanks_build_info", "Which flanks-sync this is; always 1.");
  build.add(1, {{"version", FLANKS_SYNC_VERSION}});
  all.push_back(build.take());
  for (MetricFamily& family : counters_->registry.Collect())
    all.push_back(std::move(family));
  add_rates(rates, all);
  gauge_family up("flanks_database_up", "1 when the database answered this scrape in time.");
  up.add(database.up ? 1 : 0);
  all.push_back(up.take());
  if (database.up && database.gauges != nullptr) {
    gauge_family read("flanks_database_read_timestamp_seconds",
                      "When the gauges of the database were read, in seconds since 1970.");
    read.add(static_cast<double>(database.gauges->read_at.time_since_epoch().count()));
    all.push_back(read.take());
    add_states(*database.gauges, all);
    add_refreshes(*database.gauges, all);
    add_proofs(*database.gauges, all);
  }
  std::ostringstream out;
  out.imbue(std::locale::classic());
  prometheus::TextSerializer().Serialize(out, all);
  return out.str();
}

}  // namespace flanks
