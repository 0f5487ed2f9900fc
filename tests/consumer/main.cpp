// A program of somebody else, built against the installed library only.
#include <atomic>
#include <cstdio>

#include "runtime/parallel.h"

int main() {
  std::atomic<int64_t> sum{0};
  gotorch::runtime::parallel_for(1000, 10, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) sum += i;
  });
  std::printf("sum %lld on %d workers\n", static_cast<long long>(sum), gotorch::runtime::num_workers());
  return sum == 499500 ? 0 : 1;
}
