#pragma once
// How goroutines lie in memory; see goroutine.cpp.
#include <atomic>
#include <cstdint>

#include "runtime/goroutine.h"

namespace gotorch::runtime {

struct GoroutineSlab {
  static constexpr int kCount = 511;
  GoroutineSlab* next;
  int64_t first_number;
  alignas(128) Goroutine goroutines[kCount];
};

// Where the list of them begins: for debuggers.
const std::atomic<GoroutineSlab*>* goroutine_slabs();

}  // namespace gotorch::runtime
