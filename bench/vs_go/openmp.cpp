// The empty loops of figures.cpp with OpenMP: `openmp NAME N THREADS`.
#include <omp.h>
#include <time.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace {

[[gnu::noinline]] void chunk() { asm volatile(""); }

void loops(int n) {
  const int threads = omp_get_max_threads();
  for (int i = 0; i < n; i++) {
#pragma omp parallel for schedule(static)
    for (int c = 0; c < threads; c++) chunk();
  }
}

int64_t now_ns(clockid_t clock) {
  timespec t;
  clock_gettime(clock, &t);
  return t.tv_sec * int64_t{1'000'000'000} + t.tv_nsec;
}

int64_t loops_hot(int n) {
  loops(n / 10);
  const int64_t start = now_ns(CLOCK_MONOTONIC);
  loops(n);
  return now_ns(CLOCK_MONOTONIC) - start;
}

int64_t loops_idle(int n) {
  loops(n);
  const int64_t before = now_ns(CLOCK_PROCESS_CPUTIME_ID);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  return now_ns(CLOCK_PROCESS_CPUTIME_ID) - before;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  omp_set_num_threads(std::atoi(argv[3]));
  const int n = std::atoi(argv[2]);
  const bool idle = std::strcmp(argv[1], "loops_idle") == 0;
  std::printf("%lld\n", static_cast<long long>(idle ? loops_idle(n) : loops_hot(n)));
}
