// What a debugger has to know to find goroutines, in a library without debug information or in a core file. Read by
// python/tools/gdb_goroutines.py, which knows the order of these fields.
#include <cstddef>
#include <cstdint>

#include "runtime/coarse_clock.h"
#include "runtime/fiber.h"
#include "runtime/goroutine.h"
#include "runtime/goroutine_slab.h"

namespace gotorch::runtime {
namespace {

constexpr uint64_t kVersion = 1;

}  // namespace

struct DebuggerLayout {
  uint64_t version = kVersion;
  const void* slabs = goroutine_slabs();
  const void* now_ms = &coarse_now_ms;
  uint64_t slab_next = offsetof(GoroutineSlab, next);
  uint64_t slab_first_number = offsetof(GoroutineSlab, first_number);
  uint64_t slab_goroutines = offsetof(GoroutineSlab, goroutines);
  uint64_t slab_count = GoroutineSlab::kCount;
  uint64_t goroutine_size = sizeof(Goroutine);
  uint64_t wait = offsetof(Goroutine, wait);
  uint64_t fiber = offsetof(Goroutine, fiber);
  uint64_t waits_for = offsetof(Goroutine, waits_for);
  uint64_t waits_on = offsetof(Goroutine, waits_on);
  uint64_t site = offsetof(Goroutine, site);
  uint64_t native = offsetof(Goroutine, native);
  uint64_t thread = offsetof(Goroutine, thread);
  uint64_t since_ms = offsetof(Goroutine, since_ms);
  uint64_t frame = offsetof(Fiber, frame);
};

}  // namespace gotorch::runtime

extern "C" {
// Not const: it holds addresses that are known when the library is loaded.
[[gnu::used]] gotorch::runtime::DebuggerLayout gotorch_debugger_layout;
}
