#include <benchmark/benchmark.h>

#include <thread>

#include "runtime/chan.h"
#include "runtime/parallel.h"
#include "runtime/scope.h"
#include "runtime/select.h"
#include "runtime/sync.h"

namespace gotorch::runtime {

// Runs `body(n)` as a goroutine, so that native waits are not measured.
template <class F>
void in_goroutine(benchmark::State& state, int64_t n, F body) {
  set_num_workers(static_cast<int>(state.range(0)));
  for (auto _ : state) {
    scope s;
    s.go([&] { body(n); });
    s.join();
  }
  state.SetItemsProcessed(state.iterations() * n);
}

void spawn_and_join(benchmark::State& state) {
  in_goroutine(state, 100000, [](int64_t n) {
    scope s;
    for (int64_t i = 0; i < n; i++) s.go([] {});
    s.join();
  });
}
BENCHMARK(spawn_and_join)->Arg(1)->Arg(2)->MeasureProcessCPUTime()->UseRealTime();

void spawn_that_yields_once(benchmark::State& state) {
  in_goroutine(state, 10000, [](int64_t n) {
    scope s;
    for (int64_t i = 0; i < n; i++) s.go([] { yield(); });
    s.join();
  });
}
BENCHMARK(spawn_that_yields_once)->Arg(1)->Arg(2)->MeasureProcessCPUTime()->UseRealTime();

void yield_alone(benchmark::State& state) {
  in_goroutine(state, 100000, [](int64_t n) {
    for (int64_t i = 0; i < n; i++) yield();
  });
}
BENCHMARK(yield_alone)->Arg(1)->Arg(2)->MeasureProcessCPUTime()->UseRealTime();

void yield_among_1000(benchmark::State& state) {
  in_goroutine(state, 1000000, [](int64_t n) {
    scope s;
    for (int g = 0; g < 1000; g++) {
      s.go([n] {
        for (int64_t i = 0; i < n / 1000; i++) yield();
      });
    }
    s.join();
  });
}
BENCHMARK(yield_among_1000)->Arg(1)->Arg(2)->MeasureProcessCPUTime()->UseRealTime();

// One item is a round trip.
void ping_pong(benchmark::State& state) {
  in_goroutine(state, 100000, [](int64_t n) {
    chan<int> there(0), back(0);
    scope s;
    s.go([=] {
      for (int v : there) back.send(v);
    });
    for (int64_t i = 0; i < n; i++) {
      there.send(1);
      back.receive();
    }
    there.close();
    s.join();
  });
}
BENCHMARK(ping_pong)->Arg(1)->Arg(2)->MeasureProcessCPUTime()->UseRealTime();

void producer_consumer(benchmark::State& state) {
  const int64_t capacity = state.range(1);
  in_goroutine(state, 200000, [capacity](int64_t n) {
    chan<int> c(capacity);
    scope s;
    s.go([=] {
      for (int64_t i = 0; i < n; i++) c.send(1);
      c.close();
    });
    for (int v : c) benchmark::DoNotOptimize(v);
    s.join();
  });
}
BENCHMARK(producer_consumer)
    ->ArgsProduct({{1, 2}, {0, 10, 100}})
    ->MeasureProcessCPUTime()
    ->UseRealTime();

void buffered_uncontended(benchmark::State& state) {
  in_goroutine(state, 100000, [](int64_t n) {
    chan<int> c(100);
    for (int64_t i = 0; i < n; i += 100) {
      for (int k = 0; k < 100; k++) c.send(k);
      for (int k = 0; k < 100; k++) c.receive();
    }
  });
}
BENCHMARK(buffered_uncontended)->Arg(1)->MeasureProcessCPUTime()->UseRealTime();

void select_of_two_ready(benchmark::State& state) {
  in_goroutine(state, 100000, [](int64_t n) {
    chan<int> a(1), b(1);
    for (int64_t i = 0; i < n; i++) {
      a.send(1);
      select(on_receive(a, [](auto) {}), on_receive(b, [](auto) {}));
    }
  });
}
BENCHMARK(select_of_two_ready)->Arg(1)->MeasureProcessCPUTime()->UseRealTime();

void mutex_contended(benchmark::State& state) {
  in_goroutine(state, 100000, [](int64_t n) {
    mutex m;
    int64_t counter = 0;
    scope s;
    for (int g = 0; g < 4; g++) {
      s.go([&, n] {
        for (int64_t i = 0; i < n / 4; i++) {
          m.lock();
          counter++;
          m.unlock();
        }
      });
    }
    s.join();
  });
}
BENCHMARK(mutex_contended)->Arg(1)->Arg(2)->MeasureProcessCPUTime()->UseRealTime();

// A native thread hands over a value and waits for the answer.
void native_round_trip(benchmark::State& state) {
  set_num_workers(static_cast<int>(state.range(0)));
  chan<int> there(0), back(0);
  scope s;
  s.go([=] {
    for (int v : there) back.send(v);
  });
  for (auto _ : state) {
    there.send(1);
    back.receive();
  }
  there.close();
  s.join();
}
BENCHMARK(native_round_trip)->Arg(1)->Arg(2)->MeasureProcessCPUTime()->UseRealTime();

}  // namespace gotorch::runtime
