#include "runtime/coarse_clock.h"

namespace gotorch::runtime {

void note_time(int64_t now_ns) {
  static const int64_t start_ns = now_ns;
  const auto ms = static_cast<uint32_t>((now_ns - start_ns) / 1'000'000);
  // Written only when it changes: all workers read it. A late writer may set it back a little; nobody minds.
  if (ms != coarse_ms()) coarse_now_ms.store(ms, std::memory_order_relaxed);
}

}  // namespace gotorch::runtime
