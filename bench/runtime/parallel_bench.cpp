#include <benchmark/benchmark.h>

#include <chrono>
#include <thread>

#include "runtime/parallel.h"

namespace gotorch::runtime {

// An empty loop of as many chunks as workers, launched again at once: workers are hot.
void parallel_for_hot(benchmark::State& state) {
  set_num_workers(static_cast<int>(state.range(0)));
  for (auto _ : state) parallel_for(state.range(0), 1, [](int64_t, int64_t) {});
}
BENCHMARK(parallel_for_hot)->Arg(1)->Arg(2)->Arg(4)->UseRealTime();

// As above, the second argument says how many microseconds the caller does something else.
void parallel_for_after_gap(benchmark::State& state) {
  set_num_workers(static_cast<int>(state.range(0)));
  for (auto _ : state) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(state.range(1));
    while (std::chrono::steady_clock::now() < until) {
    }
    const auto start = std::chrono::steady_clock::now();
    parallel_for(state.range(0), 1, [](int64_t, int64_t) {});
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    state.SetIterationTime(spent.count());
  }
}
BENCHMARK(parallel_for_after_gap)
    ->Args({2, 10})
    ->Args({2, 100})
    ->Args({2, 1000})
    ->Args({2, 10000})
    ->Iterations(200)
    ->UseManualTime();

// Two chunks of 20 microseconds each on two workers: 20 is the ideal.
void parallel_for_two_chunks_of_20us(benchmark::State& state) {
  set_num_workers(2);
  for (auto _ : state) {
    parallel_for(2, 1, [](int64_t, int64_t) {
      const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(20);
      while (std::chrono::steady_clock::now() < until) {
      }
    });
    if (state.range(0)) std::this_thread::sleep_for(std::chrono::microseconds(state.range(0)));
  }
}
BENCHMARK(parallel_for_two_chunks_of_20us)->Arg(0)->UseRealTime();

}  // namespace gotorch::runtime
