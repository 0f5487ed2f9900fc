#pragma once
// Data parallelism for kernels: the only part of the runtime that kernels may use.
#include <cstdint>
#include <memory>
#include <utility>

#include "runtime/fn_ref.h"

namespace gotorch::runtime {

// Threads that may run kernel chunks, the caller included.
int num_workers();
void set_num_workers(int n);

// A borrowed callable void(int64_t begin, int64_t end).
using RangeFn = FnRef<void(int64_t, int64_t)>;

// parallel_for for n > grain.
void parallel_chunks(int64_t n, int64_t grain, RangeFn body);

// Runs body(begin, end) over [0, n) in chunks of `grain` (the last may be shorter). Chunk borders
// depend on n and grain only, never on the number of workers, so results do not either.
// The caller takes chunks too and returns when all are done. The body must not park. The first
// exception (lowest chunk) is rethrown; chunks not yet claimed are then skipped. Interrupted (see
// interrupt.h) is thrown in the same way. May be called from any thread, and inside a body.
// Choose `grain` so that a chunk takes 20 microseconds or more: n <= grain runs inline.
//   parallel_for(n, 32768, [&](int64_t b, int64_t e) { for (auto i = b; i < e; i++) y[i] = f(x[i]); });
inline void parallel_for(int64_t n, int64_t grain, RangeFn body) {
  if (n > grain) parallel_chunks(n, grain, body);
  else if (n > 0) body(0, n);
}

// The same chunks in order, all on the calling thread: for what is serial and may take long.
void serial_for(int64_t n, int64_t grain, RangeFn body);

// map(begin, end) for each chunk of [0, n), then combine(left, right) over neighbouring results in
// a binary tree fixed by the chunk numbers: the same bits at any worker count. T() if n is 0.
//   double sum = parallel_reduce(n, 32768, [&](int64_t b, int64_t e) { return sum_of(x + b, e - b); },
//                                [](double a, double b) { return a + b; });
template <class Map, class Combine>
auto parallel_reduce(int64_t n, int64_t grain, Map&& map, Combine&& combine) {
  using T = decltype(map(n, n));
  if (n <= 0) return T();
  if (n <= grain) return map(int64_t{0}, n);
  const int64_t g = grain < 1 ? 1 : grain, chunks = (n - 1) / g + 1;
  const auto part = std::make_unique<T[]>(static_cast<size_t>(chunks));
  parallel_for(n, g, [&](int64_t b, int64_t e) { part[b / g] = map(b, e); });
  for (int64_t step = 1; step < chunks; step *= 2) {
    for (int64_t i = 0; i + step < chunks; i += 2 * step) {
      part[i] = combine(std::move(part[i]), std::move(part[i + step]));
    }
  }
  return std::move(part[0]);
}

// Waits until condition() is true, running chunks of other threads' loops meanwhile: for a lock held
// by a thread that is inside a loop. The condition may take the lock: once true it is not called again.
// Who makes it true calls wake_helping() afterwards, or the waiter notices up to a millisecond late.
void wait_helping(FnRef<bool()> condition);
void wake_helping();

}  // namespace gotorch::runtime
