// What the runtime's sources need when they are compiled for the explorer, in place of what is not modelled.
#include "runtime/fence.h"
#include "runtime/simulation.h"
#include "runtime/thread_state.h"

namespace gotorch::runtime {

const bool kHasMembarrier = true;
void heavy_fence() { explorer::heavy_fence(); }

ThreadState& thread_state() {
  static ThreadState states[64];
  return states[explorer::this_thread()];
}

int64_t virtual_now_ns() { return explorer::now_ns(); }
Simulation* this_simulation() { return nullptr; }
void Simulation::run_on(Worker&) {}
void chaos_from_environment() {}
int default_workers() { return 2; }

}  // namespace gotorch::runtime
