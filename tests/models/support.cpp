// What the runtime's headers need when they are compiled for the explorer.
#include "runtime/fence.h"
#include "runtime/thread_state.h"

namespace gotorch::runtime {

const bool kHasMembarrier = true;
void heavy_fence() { explorer::heavy_fence(); }

ThreadState& thread_state() {
  static ThreadState states[64];
  return states[explorer::this_thread()];
}

}  // namespace gotorch::runtime
