// The programs of figures.go on our runtime, and those of openmp.cpp.
#include "bench/vs_go/figures.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <thread>
#include <vector>

#include "runtime/go.h"

namespace gotorch::runtime {
namespace {

using namespace std::chrono_literals;

constexpr size_t kMessage = 64;

void ask(const conn& c, int times) {
  char room[kMessage] = {};
  for (int i = 0; i < times; i++) {
    c.write({room, kMessage});
    if (c.read_full(room) != kMessage) std::abort();
  }
}

// Nanoseconds of n round trips over so many connections at a time, which exist before.
int64_t echo(int connections, int n) {
  int64_t took = 0;
  scope all;
  all.go([&] {
    const listener l = listen("tcp", "127.0.0.1:0");
    scope serving;
    std::vector<conn> clients;
    for (int i = 0; i < connections; i++) {
      clients.push_back(dial("tcp", l.address()));
      serving.go([c = l.accept()] {
        char room[4096];
        while (const size_t got = c.read(room)) c.write({room, got});
      });
    }
    const auto ask_all = [&](int times) {
      scope asking;
      for (const conn& c : clients) asking.go([&c, times] { ask(c, times); });
      asking.join();
    };
    ask_all(10);  // warm
    const int64_t start = now_ns();
    ask_all(n / connections);
    took = now_ns() - start;
    clients.clear();
    serving.join();
  });
  all.join();
  return took;
}

// 10,000 tickers, of which n ticks each are received: as late as this many per mille of the ticks come, or less.
int64_t lateness(int per_mille, int n) {
  static constexpr int kTickers = 10'000;
  static constexpr std::chrono::nanoseconds kPeriod = 100ms;
  std::vector<int64_t> late(static_cast<size_t>(kTickers * n));
  scope s;
  for (int i = 0; i < kTickers; i++) {
    s.go([&late, i, n] {
      sleep(i * (kPeriod / kTickers));
      const int64_t start = now_ns();
      const ticker t(kPeriod);
      for (int k = 0; k < n; k++) {
        t.c().receive();
        late[static_cast<size_t>(i * n + k)] = (now_ns() - start) % kPeriod.count();
      }
    });
  }
  s.join();
  const auto middle = late.begin() + std::ssize(late) * per_mille / 1000;
  std::nth_element(late.begin(), middle, late.end());
  return *middle;
}

int64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  int64_t all = 0, resident = 0;
  file >> all >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

// What n goroutines take up that have been started, and wait if they have run.
int64_t memory(bool run, int n) {
  int64_t bytes = 0;
  scope all;
  all.go([&] {
    chan<unit> gate(0);
    wait_group arrived;
    arrived.add(n);
    scope s;
    const int64_t before = resident_bytes();
    for (int i = 0; i < n; i++) {
      s.go([&arrived, gate] {
        arrived.done();
        gate.receive();
      });
    }
    if (run) arrived.wait();
    bytes = resident_bytes() - before;
    gate.close();
    s.join();
  });
  all.join();
  return bytes;
}

// A chunk for each worker, from a thread of the program's, again and again.
void loops(int n) {
  for (int i = 0; i < n; i++) parallel_for(num_workers(), 1, [](int64_t, int64_t) {});
}

int64_t loops_hot(int n) {
  loops(n / 10);
  const int64_t start = now_ns();
  loops(n);
  return now_ns() - start;
}

// The processor time that is used in the 300 ms after loops.
int64_t loops_idle(int n) {
  const auto used_ns = [] {
    timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * int64_t{1'000'000'000} + t.tv_nsec;
  };
  loops(n);
  const int64_t before = used_ns();
  std::this_thread::sleep_for(300ms);
  return used_ns() - before;
}

}  // namespace

const std::map<std::string, std::function<int64_t(int n)>> figures = {
    {"echo_1", [](int n) { return echo(1, n); }},
    {"echo_100", [](int n) { return echo(100, n); }},
    {"echo_1000", [](int n) { return echo(1000, n); }},
    {"lateness_500", [](int n) { return lateness(500, n); }},
    {"lateness_990", [](int n) { return lateness(990, n); }},
    {"memory_unstarted", [](int n) { return memory(false, n); }},
    {"memory_waiting", [](int n) { return memory(true, n); }},
    {"loops_hot", loops_hot},
    {"loops_idle", loops_idle},
};

}  // namespace gotorch::runtime
