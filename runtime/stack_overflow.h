#pragma once
// A goroutine that needs more stack than it has ends the program with a report that names it.
//
// Invariants
//  - The handler of SIGSEGV and SIGBUS looks at faults of workers only, and of those at addresses in the guard of the stack
//    that runs there. After the report, and with every other fault, it goes to who was installed before.
//  - What handles a signal allocates nothing, locks nothing, and runs on the thread's signal stack.
#include <cstddef>

#include "runtime/goroutine.h"
#include "runtime/stack.h"

namespace gotorch::runtime {

// Installs the handler, once in a process.
void report_stack_overflows();

// Room on which this thread handles signals when its stack has none left. Leaves alone what the thread has already.
class SignalStack {
 public:
  SignalStack();
  ~SignalStack();
  SignalStack(const SignalStack&) = delete;

 private:
  void* memory_ = nullptr;
};

// Reports, then aborts: other memory may be damaged. `g` may be null.
[[noreturn]] void die_of_stack_overflow(const Goroutine* g, const Stack& stack);

}  // namespace gotorch::runtime
