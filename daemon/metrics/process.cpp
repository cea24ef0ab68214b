#include "daemon/metrics/process.hpp"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <limits>
#include <sstream>

namespace flanks {

namespace {

const prometheus::Histogram::BucketBoundaries lag_seconds{0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5};

double read_clock(clockid_t which) {
  timespec now{};
  if (::clock_gettime(which, &now) != 0) return 0;
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// Field `number` of /proc/self/stat (proc(5)), counted from 3: what comes before may hold spaces.
double stat_field(int number) {
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  std::istringstream fields(line.substr(std::min(line.size(), line.rfind(')') + 2)));
  std::string field;
  for (int at = 3; at <= number; ++at)
    fields >> field;
  return field.empty() ? 0 : std::stod(field);
}

// Without /proc/stat, which systemd's ProcSubset=pid hides.
double start_time() {
  const double up_to_start = stat_field(22) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  return read_clock(CLOCK_REALTIME) - (read_clock(CLOCK_BOOTTIME) - up_to_start);
}

double open_files() {
  DIR* const all = ::opendir("/proc/self/fd");
  if (all == nullptr) return 0;
  double count = -1;  // the one that is open for looking
  while (const dirent* const entry = ::readdir(all))
    if (entry->d_name[0] != '.') ++count;
  ::closedir(all);
  return count;
}

double most_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  return limit.rlim_cur == RLIM_INFINITY ? std::numeric_limits<double>::infinity()
                                         : static_cast<double>(limit.rlim_cur);
}

}  // namespace

process_metrics::process_metrics()
    : lag_(histograms_in(registry_, "flanks_event_loop_lag_seconds",
                         "How late the event loop served a timer, in seconds, looked at every "
                         "second.")
               .Add({}, lag_seconds)),
      started_(start_time()) {}

void process_metrics::collect(families& to) const {
  collect_into(to, registry_);
  told_family cpu("process_cpu_seconds_total",
                  "User and system CPU time of the process, in seconds.",
                  prometheus::MetricType::Counter);
  cpu.add(read_clock(CLOCK_PROCESS_CPUTIME_ID)).into(to);
  const double page = static_cast<double>(::sysconf(_SC_PAGESIZE));
  told_family resident("process_resident_memory_bytes",
                       "Resident memory of the process, in bytes.");
  resident.add(stat_field(24) * page).into(to);
  told_family virtual_memory("process_virtual_memory_bytes",
                             "Virtual memory of the process, in bytes.");
  virtual_memory.add(stat_field(23)).into(to);
  told_family files("process_open_fds", "Open file descriptors of the process.");
  files.add(open_files()).into(to);
  told_family limit("process_max_fds", "The most file descriptors that the process may open.");
  limit.add(most_files()).into(to);
  told_family started("process_start_time_seconds",
                      "When the process started, in seconds since 1970.");
  started.add(started_).into(to);
}

}  // namespace flanks
