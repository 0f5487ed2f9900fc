// A mixed load for a given number of seconds: goroutines, channels, selects, timers, cancelled scopes, native threads, a changing
// number of workers, child processes. Nothing may be lost meanwhile, and nothing be left behind: memory, descriptors,
// goroutines, a processor that is busy with nothing.
//   runtime_soak [seconds]
#include <dirent.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "runtime/go.h"

namespace gotorch::runtime {
namespace {

using namespace std::chrono_literals;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "soak: failed: %s\n", what);
  std::_Exit(1);
}

// Values from goroutines and native threads, through a pipeline, to goroutines and native threads: all arrive.
void exchange_values(uint64_t seed) {
  constexpr int kEach = 300, kSenders = 4;
  chan<int> in(static_cast<int64_t>(seed % 3)), out(static_cast<int64_t>(seed % 5));
  std::atomic<int64_t> sent{0}, received{0};
  wait_group senders;
  senders.add(2 * kSenders);
  const auto send = [&](int base) {
    for (int i = 0; i < kEach; i++) {
      in.send(base + i);
      sent += base + i;
    }
    senders.done();
  };
  const auto receive = [&] {
    for (const int v : out) received += v;
  };
  scope s;
  std::vector<std::thread> threads;
  for (int i = 0; i < kSenders; i++) {
    s.go([&, i] { send(i); });
    threads.emplace_back(send, 1000 * i);
  }
  for (int i = 0; i < 3; i++) s.go(receive);
  threads.emplace_back(receive);
  s.go([&] {
    scope relays;
    for (int i = 0; i < 3; i++) {
      relays.go([&] {
        for (const int v : in) out.send(v);
      });
    }
    relays.join();
    out.close();
  });
  senders.wait();
  in.close();
  s.join();
  for (auto& t : threads) t.join();
  require(sent == received, "every value that was sent arrives");
}

// Waits of all kinds that are given up.
void cancel_waits(uint64_t seed) {
  scope s(this_context(), std::chrono::microseconds(200 + seed % 2000));
  chan<int> never(0);
  mutex m;
  for (int i = 0; i < 30; i++) {
    s.go([&, i] {
      while (true) {
        select(on_receive(never, [](auto) {}),
               on_timeout(std::chrono::microseconds(10 * i), [] {}));
        std::lock_guard guard(m);
        sleep(std::chrono::microseconds(i));
      }
    });
  }
  bool late = false;
  try {
    s.join();
  } catch (const DeadlineExceeded&) {
    late = true;
  }
  require(late, "a scope ends at its deadline");
}

void many_goroutines() {
  std::atomic<int> ended{0};
  run([&](scope& s) {
    for (int i = 0; i < 2000; i++) {
      s.go([&, i] {
        if (i % 7 == 0) sleep(100us);
        if (i % 5 == 0) yield();
        ended++;
      });
    }
  });
  require(ended == 2000, "every goroutine runs to its end");
}

void loops() {
  std::vector<int64_t> squares(100'000);
  parallel_for(100'000, 1000, [&](int64_t b, int64_t e) {
    for (int64_t i = b; i < e; i++) squares[static_cast<size_t>(i)] = i * i;
  });
  for (int64_t i = 0; i < 100'000; i++) {
    require(squares[static_cast<size_t>(i)] == i * i, "every chunk of a loop runs");
  }
}

void child_process() {
  const pid_t child = fork();
  require(child >= 0, "fork");
  if (child == 0) {
    execl("/bin/true", "true", nullptr);
    _exit(127);
  }
  int status = 0;
  require(waitpid(child, &status, 0) == child && status == 0, "a child process ends well");
}

int64_t memory_kb() {
  std::ifstream status("/proc/self/statm");
  int64_t size = 0, resident = 0;
  status >> size >> resident;
  return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

int descriptors() {
  int count = 0;
  DIR* folder = opendir("/proc/self/fd");
  while (folder && readdir(folder)) count++;
  closedir(folder);
  return count;
}

int goroutines_left() {
  int count = 0;
  for_each_goroutine([&](Goroutine& g) { count += g.fiber != nullptr; });
  return count;
}

double cpu_seconds() {
  rusage use;
  getrusage(RUSAGE_SELF, &use);
  const auto seconds = [](timeval t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(use.ru_utime) + seconds(use.ru_stime);
}

void soak(double seconds) {
  const int64_t start = now_ns();
  const auto elapsed = [&] { return static_cast<double>(now_ns() - start) * 1e-9; };
  std::mt19937_64 random(1);
  int64_t rounds = 0, memory = 0;
  int files = 0;
  for (double report = 60; elapsed() < seconds; rounds++) {
    set_num_workers(static_cast<int>(1 + random() % 8));
    std::vector<std::thread> others;
    others.emplace_back(exchange_values, random());
    others.emplace_back(cancel_waits, random());
    others.emplace_back([&, n = static_cast<int>(1 + random() % 8)] { set_num_workers(n); });
    many_goroutines();
    loops();
    if (rounds % 10 == 0) child_process();
    for (auto& t : others) t.join();
    if (memory == 0 && elapsed() > std::min(60.0, seconds / 3)) {  // warm by now
      memory = memory_kb();
      files = descriptors();
    }
    if (elapsed() < report) continue;
    std::printf("%.0f s: %lld rounds, %lld MB\n", elapsed(), static_cast<long long>(rounds),
                static_cast<long long>(memory_kb() / 1024));
    std::fflush(stdout);
    report += 60;
  }
  std::this_thread::sleep_for(200ms);
  const double before = cpu_seconds();
  std::this_thread::sleep_for(2s);
  const double idle = (cpu_seconds() - before) / 2;
  std::printf(
      "%lld rounds; memory %lld -> %lld KB, descriptors %d -> %d, goroutines left %d, idle %.2f%% "
      "of a processor\n",
      static_cast<long long>(rounds), static_cast<long long>(memory),
      static_cast<long long>(memory_kb()), files, descriptors(), goroutines_left(), 100 * idle);
  require(memory_kb() < memory + memory / 4 + 16 * 1024, "memory stays flat");
  require(descriptors() == files, "no descriptor is left open");
  require(goroutines_left() == 0, "no goroutine is left");
  require(idle < 0.02, "idle workers sleep");
}

}  // namespace
}  // namespace gotorch::runtime

int main(int count, char** arguments) {
  gotorch::runtime::soak(count > 1 ? std::atof(arguments[1]) : 3600);
  return 0;
}
