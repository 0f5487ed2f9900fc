#pragma once
#include <cstdint>

#include "runtime/futex.h"

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace gotorch::runtime {

// Clock for rare decisions on hot paths; about half a nanosecond each on x86.
inline int64_t ticks() {
#if defined(__x86_64__)
  return static_cast<int64_t>(__rdtsc());
#else
  return 2 * real_now_ns();
#endif
}

}  // namespace gotorch::runtime
