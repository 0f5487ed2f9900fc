// A program of somebody else, built against the installed library only.
#include <atomic>
#include <cstdio>

#include "runtime/chan.h"
#include "runtime/parallel.h"
#include "runtime/scope.h"

namespace rt = gotorch::runtime;

int main() {
  std::atomic<int64_t> sum{0};
  rt::parallel_for(1000, 10, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) sum += i;
  });

  rt::chan<int64_t> numbers(4);
  rt::scope s;
  s.go([&] {
    for (int64_t i = 0; i < 1000; i++) numbers.send(i);
    numbers.close();
  });
  int64_t received = 0;
  for (int64_t i : numbers) received += i;
  s.join();

  std::printf("sum %lld, received %lld\n", static_cast<long long>(sum),
              static_cast<long long>(received));
  return sum == 499500 && received == sum ? 0 : 1;
}
