#include "runtime/cpus.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace gotorch::runtime {
namespace {

int affinity_cpus() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return kMaxWorkers;  // more than 1024 processors
  return std::max(1, CPU_COUNT(&set));
}

double first_number(const std::string& file, double otherwise) {
  std::ifstream in(file);
  double value;
  return in >> value ? value : otherwise;
}

// Version 2: "max 100000" or "150000 100000". Version 1: two files, -1 when there is no limit.
double quota_v2(const std::string& dir) {
  std::ifstream in(dir + "/cpu.max");
  double quota, period;
  return in >> quota >> period && period > 0 ? quota / period : kMaxWorkers;
}

double quota_v1(const std::string& dir) {
  const double quota = first_number(dir + "/cpu.cfs_quota_us", -1);
  const double period = first_number(dir + "/cpu.cfs_period_us", 0);
  return quota > 0 && period > 0 ? quota / period : kMaxWorkers;
}

// A container may see its own group as the root while /proc names the path outside it; every
// prefix that does not exist is simply not limited.
template <class Quota>
double tightest(const std::string& root, std::string path, Quota quota) {
  double least = kMaxWorkers;
  for (;;) {
    least = std::min(least, quota(root + path));
    const auto slash = path.find_last_of('/');
    if (path.empty() || slash == std::string::npos) return least;
    path.resize(slash);
  }
}

double cgroup_cpus() {
  double least = kMaxWorkers;
  std::ifstream in("/proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {  // "4:cpu,cpuacct:/path" or "0::/path"
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string path = line.substr(second + 1);
    std::istringstream controllers(line.substr(first + 1, second - first - 1));
    if (second == first + 1) least = std::min(least, tightest("/sys/fs/cgroup", path, quota_v2));
    for (std::string name; std::getline(controllers, name, ',');) {
      if (name == "cpu") least = std::min(least, tightest("/sys/fs/cgroup/cpu", path, quota_v1));
    }
  }
  return least;
}

int environment_count(const char* name) {
  const char* text = std::getenv(name);
  if (!text) return 0;
  const long value = std::strtol(text, nullptr, 10);
  return static_cast<int>(std::clamp(value, 0L, static_cast<long>(kMaxWorkers)));
}

}  // namespace

int usable_cpus() {
  const int quota = static_cast<int>(std::ceil(cgroup_cpus()));
  return std::clamp(std::min(affinity_cpus(), quota), 1, kMaxWorkers);
}

int default_workers() {
  if (const int n = environment_count("GOTORCH_NUM_THREADS")) return n;
  const int cpus = usable_cpus();
  const int hint = environment_count("OMP_NUM_THREADS");
  return hint ? std::min(hint, cpus) : cpus;
}

}  // namespace gotorch::runtime
