#include "runtime/thread_state.h"

namespace gotorch::runtime {

// initial-exec: two instructions instead of a call, at the price of 32 bytes of the static TLS
// space that remains for libraries loaded at run time.
[[gnu::tls_model("initial-exec")]] static thread_local ThreadState state;

[[gnu::noinline]] ThreadState& thread_state() {
  ThreadState* p = &state;
  asm volatile("" : "+rm"(p));
  return *p;
}

}  // namespace gotorch::runtime
