#include "daemon/metrics/database.hpp"

namespace flanks {

namespace {

const prometheus::Histogram::BucketBoundaries database_seconds{0.001, 0.01, 0.1, 1, 10};

prometheus::Family<prometheus::Gauge>& gauges_in(prometheus::Registry& in, const char* name,
                                                 const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(in);
}

}  // namespace

database_metrics::database_metrics()
    : statements_(histograms_in(
          registry_, "flanks_database_statement_duration_seconds",
          "How long statements of this process took, in seconds, by our name of them, which is "
          "also "
          "the comment that pg_stat_activity shows; of a COPY with the making of its rows.")),
      waits_(histograms_in(registry_, "flanks_database_pool_wait_seconds",
                           "How long jobs waited for a connection, in seconds, by pool.")),
      connections_(gauges_in(registry_, "flanks_database_pool_connections",
                             "Connections that this process may have, by pool: workers "
                             "(database.connections), rate_limit, admin, page, discovery, retention.")),
      in_use_(gauges_in(registry_, "flanks_database_pool_connections_in_use",
                        "Connections that a job has now, by pool.")),
      waiting_(gauges_in(registry_, "flanks_database_jobs_waiting",
                         "Jobs that wait for a connection, or for the transaction that will take "
                         "them along, by pool.")) {}

void database_metrics::ran(const char* statement, std::chrono::nanoseconds took) {
  prometheus::Histogram* found = nullptr;
  {
    const std::lock_guard held(lock_);
    prometheus::Histogram*& known = by_statement_[statement];
    // One name may be several literals.
    if (known == nullptr) known = &statements_.Add({{"statement", statement}}, database_seconds);
    found = known;
  }
  found->Observe(in_seconds(took));
}

void database_metrics::had_connection(const char* pool, std::chrono::nanoseconds waited) {
  waits_.Add({{"pool", pool}}, database_seconds).Observe(in_seconds(waited));
}

database_metrics::gauge_family& database_metrics::figure(pool_figure which) {
  if (which == pool_figure::connections) return connections_;
  return which == pool_figure::in_use ? in_use_ : waiting_;
}

void database_metrics::changed(const char* pool, pool_figure which, int by) {
  figure(which).Add({{"pool", pool}}).Increment(by);
  if (which != pool_figure::connections) return;
  // From the beginning at zero.
  in_use_.Add({{"pool", pool}});
  waiting_.Add({{"pool", pool}});
  waits_.Add({{"pool", pool}}, database_seconds);
}

}  // namespace flanks
