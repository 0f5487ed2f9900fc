#pragma once
// Milliseconds since the process began to use the runtime, for reports. Reading it costs a load: those that ask the real
// clock anyway, and workers now and then, move it on. While goroutines compute without a break on every worker, and no
// native thread waits, it may lag.
#include <atomic>
#include <cstdint>

#include "runtime/futex.h"

namespace gotorch::runtime {

inline std::atomic<uint32_t> coarse_now_ms{0};

inline uint32_t coarse_ms() { return coarse_now_ms.load(std::memory_order_relaxed); }

// Moves the coarse clock on to what now_ns() has just said.
void note_time(int64_t now_ns);

}  // namespace gotorch::runtime
