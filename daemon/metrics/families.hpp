// Families of metrics in prometheus-cpp's types. Private to daemon/metrics*.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace flanks {

using families = std::vector<prometheus::MetricFamily>;
using counter_family = prometheus::Family<prometheus::Counter>;
using histogram_family = prometheus::Family<prometheus::Histogram>;

[[nodiscard]] inline counter_family& counters_in(prometheus::Registry& in, const char* name,
                                                 const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(in);
}

[[nodiscard]] inline histogram_family& histograms_in(prometheus::Registry& in, const char* name,
                                                     const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(in);
}

inline void collect_into(families& to, const prometheus::Registry& from) {
  for (prometheus::MetricFamily& family : from.Collect())
    to.push_back(std::move(family));
}

template <class Duration>
[[nodiscard]] double in_seconds(Duration time) {
  return std::chrono::duration<double>(time).count();
}

// Numbers that somebody else keeps. Without any it is still named.
class told_family {
 public:
  told_family(const char* name, const char* help,
              prometheus::MetricType type = prometheus::MetricType::Gauge) {
    family_.name = name;
    family_.help = help;
    family_.type = type;
  }
  told_family& add(double value, std::vector<prometheus::ClientMetric::Label> labels = {}) {
    prometheus::ClientMetric metric;
    metric.label = std::move(labels);
    metric.gauge.value = metric.counter.value = value;
    family_.metric.push_back(std::move(metric));
    return *this;
  }
  void into(families& to) { to.push_back(std::move(family_)); }

 private:
  prometheus::MetricFamily family_;
};

}  // namespace flanks
