// What the runtime's sources need when they are compiled for the explorer, in place of what is not modelled.
#include "runtime/blocking.h"
#include "runtime/chaos.h"
#include "runtime/cpus.h"
#include "runtime/fence.h"
#include "runtime/io/fork.h"
#include "runtime/io/poller.h"
#include "runtime/simulation.h"
#include "runtime/stack_overflow.h"
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

void forget_io_after_fork() {}
void forget_blocking_threads_after_fork() {}
void report_stack_overflows() {}
SignalStack::SignalStack() { (void)memory_; }
SignalStack::~SignalStack() {}
void die_of_stack_overflow(const Goroutine*, const Stack&) { std::abort(); }

// Nobody opens a descriptor, so nobody comes here.
Goroutine* Poller::poll(int64_t) { std::abort(); }
void Poller::interrupt() { std::abort(); }
Poller& poller() { std::abort(); }

}  // namespace gotorch::runtime
