// Programs as they are written in Go (programs.go) on our runtime: `programs NAME N WORKERS` prints the nanoseconds that
// N units of work took, or what else it measured (figures.h).
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "bench/vs_go/figures.h"
#include "runtime/go.h"

namespace gotorch::runtime {
namespace {

using namespace std::chrono_literals;

void spawn(int n) {
  scope s;
  for (int i = 0; i < n; i++) s.go([] {});
  s.join();
}

// Each of 10,000 goroutines at a time waits once.
void spawn_blocking(int n) {
  for (int done = 0; done < n; done += 10000) {
    scope s;
    chan<unit> gate(0);
    wait_group arrived;
    arrived.add(10000);
    for (int i = 0; i < 10000; i++) {
      s.go([&arrived, &gate] {
        arrived.done();
        gate.receive();
      });
    }
    arrived.wait();
    gate.close();
    s.join();
  }
}

void ping_pong(int n) {
  chan<int> there(0), back(0);
  scope s;
  s.go([=] {
    for (int v : there) back.send(v);
  });
  for (int i = 0; i < n; i++) {
    there.send(i);
    back.receive();
  }
  there.close();
  s.join();
}

void yield_among(int goroutines, int n) {
  scope s;
  for (int g = 0; g < goroutines; g++) {
    s.go([=] {
      for (int i = 0; i < n / goroutines; i++) yield();
    });
  }
  s.join();
}

void producers_consumers(int producers, int consumers, int capacity, int n) {
  chan<int> c(capacity);
  scope sent, received;
  for (int p = 0; p < producers; p++) {
    sent.go([=] {
      for (int i = 0; i < n / producers; i++) c.send(i);
    });
  }
  for (int r = 0; r < consumers; r++) {
    received.go([c] {
      while (c.receive()) {
      }
    });
  }
  sent.join();
  c.close();
  received.join();
}

void select_2(int n) {
  chan<int> a(1), b(1);
  a.send(1);
  b.send(1);
  for (int i = 0; i < n; i++) {
    select(on_receive(a, [&](auto v) { a.send(*v); }), on_receive(b, [&](auto v) { b.send(*v); }));
  }
}

void select_8(int n) {
  std::array<chan<int>, 8> c;
  for (int i = 0; i < 8; i++) {
    c[i] = chan<int>(1);
    c[i].send(i);
  }
  const auto back = [&](int i) { return [&c, i](auto v) { c[i].send(*v); }; };
  for (int i = 0; i < n; i++) {
    select(on_receive(c[0], back(0)), on_receive(c[1], back(1)), on_receive(c[2], back(2)),
           on_receive(c[3], back(3)), on_receive(c[4], back(4)), on_receive(c[5], back(5)),
           on_receive(c[6], back(6)), on_receive(c[7], back(7)));
  }
}

// A value comes each time before the timeout.
void select_timeout(int n) {
  chan<int> c(0);
  scope s;
  s.go([=] {
    for (int i = 0; i < n; i++) c.send(i);
    c.close();
  });
  for (bool open = true; open;) {
    select(on_receive(c, [&](auto v) { open = v.has_value(); }),
           on_timeout(1s, [] { std::abort(); }));
  }
  s.join();
}

// Four goroutines select over the same three channels, which four others feed.
void select_shared(int n) {
  std::array<chan<int>, 3> c{chan<int>(0), chan<int>(0), chan<int>(0)};
  chan<unit> stop(0);
  scope sent, received;
  for (int p = 0; p < 4; p++) {
    sent.go([=] {
      for (int i = 0; i < n / 4; i++) c[(i + p) % 3].send(i);
    });
    received.go([=] {
      for (bool open = true; open;) {
        select(on_receive(c[0], [](auto) {}), on_receive(c[1], [](auto) {}),
               on_receive(c[2], [](auto) {}), on_receive(stop, [&](auto) { open = false; }));
      }
    });
  }
  sent.join();
  stop.close();
  received.join();
}

void skynet(chan<int64_t> c, int64_t number, int64_t size) {
  if (size == 1) return c.send(number);
  chan<int64_t> results(0);
  scope s;
  for (int64_t i = 0; i < 10; i++) {
    s.go([=] { skynet(results, number + i * size / 10, size / 10); });
  }
  int64_t sum = 0;
  for (int i = 0; i < 10; i++) sum += *results.receive();
  s.join();
  c.send(sum);
}

int fib(int n) {
  if (n < 2) return n;
  int a = 0;
  scope s;
  s.go([&] { a = fib(n - 1); });
  const int b = fib(n - 2);
  s.join();
  return a + b;
}

void sieve(int n) {
  scope s;
  chan<int> c(0);
  chan<unit> stop(0);
  s.go([=] {
    for (int i = 2, open = 1; open; i++) {
      select(on_send(c, i, [] {}), on_receive(stop, [&](auto) { open = 0; }));
    }
    c.close();
  });
  for (int i = 0; i < n; i++) {
    const int prime = *c.receive();
    chan<int> next(0);
    s.go([prime, in = c, out = next] {
      for (int v : in) {
        if (v % prime != 0) out.send(v);
      }
      out.close();
    });
    c = next;
  }
  stop.close();
  while (c.receive()) {
  }
  s.join();
}

void pipeline(int stages, int n) {
  scope s;
  chan<int> first(0), c = first;
  for (int i = 0; i < stages; i++) {
    chan<int> next(0);
    s.go([in = c, out = next] {
      for (int v : in) out.send(v + 1);
      out.close();
    });
    c = next;
  }
  s.go([=] {
    for (int i = 0; i < n; i++) first.send(i);
    first.close();
  });
  while (c.receive()) {
  }
  s.join();
}

void mutex_shared(int n) {
  mutex m;
  int counter = 0;
  scope s;
  for (int g = 0; g < 8; g++) {
    s.go([&] {
      for (int i = 0; i < n / 8; i++) {
        m.lock();
        counter++;
        m.unlock();
      }
    });
  }
  s.join();
}

// Eight goroutines, of whose uses every hundredth writes.
void rw_mutex_shared(int n) {
  rw_mutex m;
  int value = 0;
  std::atomic<int> sum{0};
  scope s;
  for (int g = 0; g < 8; g++) {
    s.go([&] {
      int local = 0;
      for (int i = 0; i < n / 8; i++) {
        if (i % 100 == 0) {
          m.lock();
          value++;
          m.unlock();
        } else {
          m.lock_shared();
          local += value;
          m.unlock_shared();
        }
      }
      sum += local;
    });
  }
  s.join();
}

// Groups of ten.
void wait_groups(int n) {
  scope s;
  for (int i = 0; i < n / 10; i++) {
    wait_group all;
    all.add(10);
    for (int g = 0; g < 10; g++) {
      s.go([&all] { all.done(); });
    }
    all.wait();
  }
  s.join();
}

void timers(int n) {
  std::vector<timer> all;
  all.reserve(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; i++) all.emplace_back(1h + i * 7919 % n * 1us);
  for (const timer& t : all) t.stop();
}

const std::map<std::string, std::function<void(int)>> programs = {
    {"spawn", spawn},
    {"spawn_blocking", spawn_blocking},
    {"ping_pong", ping_pong},
    {"yield_2", [](int n) { yield_among(2, n); }},
    {"yield_1000", [](int n) { yield_among(1000, n); }},
    {"buffered_1_1", [](int n) { producers_consumers(1, 1, 128, n); }},
    {"buffered_4_4", [](int n) { producers_consumers(4, 4, 64, n); }},
    {"buffered_8_1", [](int n) { producers_consumers(8, 1, 64, n); }},
    {"select_2", select_2},
    {"select_8", select_8},
    {"select_timeout", select_timeout},
    {"select_shared", select_shared},
    {"skynet",
     [](int n) {
       chan<int64_t> c(1);
       go([c, n] { skynet(c, 0, n); });
       c.receive();
     }},
    {"fib", fib},
    {"sieve", sieve},
    {"pipeline_10", [](int n) { pipeline(10, n); }},
    {"pipeline_100", [](int n) { pipeline(100, n); }},
    {"mutex", mutex_shared},
    {"rw_mutex", rw_mutex_shared},
    {"timers", timers},
    {"wait_group", wait_groups},
};

// Runs `work` as a goroutine and returns the time it took.
int64_t timed(const std::function<void()>& work) {
  int64_t took = 0;
  scope s;
  s.go([&] {
    const int64_t start = now_ns();
    work();
    took = now_ns() - start;
  });
  s.join();
  return took;
}

// After a warm-up.
int64_t time_of(const std::function<void(int)>& program, int n) {
  timed([&] { program(std::min(n, 10000)); });
  return timed([&] { program(n); });
}

}  // namespace
}  // namespace gotorch::runtime

int main(int argc, char** argv) {
  using namespace gotorch::runtime;
  const std::string name = argc == 4 ? argv[1] : "";
  if (!programs.contains(name) && !figures.contains(name)) {
    for (const auto& [known, program] : programs) std::printf("%s\n", known.c_str());
    for (const auto& [known, figure] : figures) std::printf("%s\n", known.c_str());
    return 2;
  }
  const int n = std::atoi(argv[2]);
  set_num_workers(std::atoi(argv[3]));
  const auto figure = figures.find(name);
  const int64_t result =
      figure != figures.end() ? figure->second(n) : time_of(programs.at(name), n);
  std::printf("%lld\n", static_cast<long long>(result));
}
