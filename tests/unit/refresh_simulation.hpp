// A provider and its banks over a long time, and a mirror that asks it by a schedule: how late the
// rows are, for how many status calls. Pure and seeded; shared by a test and by tests/bench.
#pragma once

#include <algorithm>
#include <functional>
#include <random>
#include <vector>

#include "sync/types.hpp"

namespace flanks {

struct simulated_provider {
  int credentials = 1000, days = 365, banks = 40;
  std::uint64_t seed = 1;
};

struct freshness {
  std::vector<double> minutes;  // from each refresh until it was read, sorted
  double calls_a_day = 0;       // of a credential, on average
  int most_calls = 0;           // of any credential in any 24 hours
  [[nodiscard]] double quantile(double share) const {
    return minutes.at(static_cast<std::size_t>(share * static_cast<double>(minutes.size() - 1)));
  }
};

// When to ask for a credential next: it was asked for at `now`, and `told` was its last refresh.
using poll_schedule = std::function<instant(int credential, instant told, instant now)>;

// Every credential has its own time of day, from which its refreshes stray (by 2 to 25 minutes, one
// standard deviation) and drift (up to 4 minutes a day). Of the banks, 40 % rest at weekends. Each
// fails six times a year for one to five days; half of the credentials come back at their time of
// day, the others whenever it mends. 1 % of the refreshes are left out, 1 % come at any time.
[[nodiscard]] inline std::vector<std::vector<instant>> simulate_refreshes(
    const simulated_provider& p) {
  namespace chr = std::chrono;
  std::mt19937_64 random(p.seed);
  const auto uniform = [&](double from, double to) {
    return std::uniform_real_distribution<double>{from, to}(random);
  };
  const auto day_seconds = 86'400.0;
  struct outage {
    double from, to;
  };
  std::vector<std::vector<outage>> outages(static_cast<std::size_t>(p.banks));
  std::vector<bool> rests(static_cast<std::size_t>(p.banks));
  for (std::size_t b = 0; b < outages.size(); ++b) {
    rests[b] = uniform(0, 1) < 0.4;
    const int count = p.days * 6 / 365;
    for (int i = 0; i < count; ++i) {
      const double from = uniform(0, p.days);
      outages[b].push_back({from, from + uniform(1, 5)});
    }
  }
  std::vector<std::vector<instant>> all(static_cast<std::size_t>(p.credentials));
  for (auto& refreshes : all) {
    const auto bank = static_cast<std::size_t>(uniform(0, p.banks));
    double time = uniform(0, 1);  // of the day, in days
    const double drift = uniform(-4, 4) / 1440, stray = uniform(2, 25) / 1440;
    const bool at_once = uniform(0, 1) < 0.5;
    double last = -1;
    for (int d = 0; d < p.days; ++d) {
      time += drift * uniform(0, 2);
      if (rests[bank] && d % 7 >= 5) continue;
      double at = d + time + std::normal_distribution<double>{0, stray}(random);
      if (uniform(0, 1) < 0.01) continue;
      if (uniform(0, 1) < 0.01) at = d + uniform(0, 1);
      for (const outage& o : outages[bank]) {
        if (at < o.from || at >= o.to) continue;
        at = at_once && d + 1 > o.to ? o.to + uniform(0, 0.1) : -1;
        break;
      }
      if (at <= last + 0.02) continue;
      last = at;
      refreshes.push_back(
          instant{chr::seconds{1'800'000'000 + static_cast<std::int64_t>(at * day_seconds)}});
    }
  }
  return all;
}

[[nodiscard]] inline freshness simulate(const simulated_provider& p, const poll_schedule& next) {
  namespace chr = std::chrono;
  freshness found;
  std::int64_t calls = 0;
  const auto all = simulate_refreshes(p);
  const instant end{chr::seconds{1'800'000'000 + std::int64_t{p.days} * 86'400}};
  for (std::size_t c = 0; c < all.size(); ++c) {
    const std::vector<instant>& refreshes = all[c];
    if (refreshes.empty()) continue;
    std::size_t read = 1;  // registered after its first refresh, which is not counted
    std::vector<instant> polls;
    for (instant now = refreshes.front() + chr::hours{1}; now < end;) {
      ++calls;
      polls.push_back(now);
      while (read < refreshes.size() && refreshes[read] <= now) {
        found.minutes.push_back(static_cast<double>((now - refreshes[read]).count()) / 60);
        ++read;
      }
      now = next(static_cast<int>(c), refreshes[read - 1], now);
    }
    std::size_t first = 0;
    for (std::size_t i = 0; i < polls.size(); ++i) {
      while (polls[i] - polls[first] >= chr::hours{24})
        ++first;
      found.most_calls = std::max(found.most_calls, static_cast<int>(i - first + 1));
    }
  }
  std::sort(found.minutes.begin(), found.minutes.end());
  found.calls_a_day = static_cast<double>(calls) / p.credentials / p.days;
  return found;
}

}  // namespace flanks
