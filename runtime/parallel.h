#pragma once
// Data parallelism for kernels: the only part of the runtime that kernels may use.
#include <cstdint>
#include <memory>
#include <type_traits>

namespace gotorch::runtime {

// Threads that may run kernel chunks, the caller included.
int num_workers();
void set_num_workers(int n);

// A borrowed callable void(int64_t begin, int64_t end): two words, no allocation.
class RangeFn {
 public:
  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, RangeFn>)
  RangeFn(F&& f)
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(f)))),
        call_([](void* o, int64_t b, int64_t e) { (*static_cast<std::remove_reference_t<F>*>(o))(b, e); }) {}
  void operator()(int64_t begin, int64_t end) const { call_(object_, begin, end); }

 private:
  void* object_;
  void (*call_)(void*, int64_t, int64_t);
};

// Runs body(begin, end) over [0, n) in chunks of `grain` (the last may be shorter). Chunk borders
// depend on n and grain only, never on the number of workers, so results do not either.
// The caller takes chunks too and returns when all are done. The body must not park. The first
// exception (lowest chunk) is rethrown; chunks not yet claimed are then skipped.
// Choose `grain` so that a chunk takes 20 microseconds or more: n <= grain runs inline.
//   parallel_for(n, 32768, [&](int64_t b, int64_t e) { for (auto i = b; i < e; i++) y[i] = f(x[i]); });
void parallel_for(int64_t n, int64_t grain, RangeFn body);

}  // namespace gotorch::runtime
