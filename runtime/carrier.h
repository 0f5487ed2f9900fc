#pragma once
// Carriers: the pooled fibers that goroutines run on.
//
// Invariants
//  - A carrier runs one goroutine after another and never ends. A goroutine that waits keeps its
//    carrier; a carrier without one is in a list of idle carriers.
//  - A carrier that is not running may be resumed by any worker.
//  - A switch of stacks does not switch the C++ runtime's record of exceptions in flight. Whoever
//    switches out saves its own and restores it when it comes back.
//  - A carrier lies at the top of its own stack, on the page that a goroutine touches anyway.
//  - Its fiber is its first member, so that who has the fiber has the carrier.
#include <array>
#include <atomic>
#include <type_traits>
#include <utility>
#include <vector>

#include "runtime/fiber.h"
#include "runtime/futex.h"
#include "runtime/goroutine.h"
#include "runtime/spin.h"
#include "runtime/stack.h"

namespace gotorch::runtime {

struct alignas(64) Carrier {
  Fiber fiber;
  Goroutine* next_task = nullptr;  // what to run when resumed idle
  Stack stack;
};
static_assert(std::is_standard_layout_v<Carrier>);
Carrier* make_carrier(FiberThread& thread,
                      StackClass size);  // std::bad_alloc if there is no memory
inline Carrier& carrier_of(Fiber& fiber) { return reinterpret_cast<Carrier&>(fiber); }

// What a thread of C++ keeps while exceptions are being handled.
// Laid out as the ABI's __cxa_eh_globals begins.
struct ExceptionState {
  void* caught = nullptr;
  unsigned int uncaught = 0;
};
ExceptionState* thread_exception_record();

// Idle carriers that no worker keeps: of workers that have too many, or are gone, and those with stacks of unusual sizes.
// What nobody has needed for a second gives its memory back.
class CarrierStore {
 public:
  void put(Carrier* c);
  // As many of `from`, those that have been idle for longest.
  void put_oldest(std::vector<Carrier*>& from, size_t count);
  // One with such a stack; if it has the usual one, some more go to `spare`. Null: there is none.
  Carrier* take(StackClass size, std::vector<Carrier*>& spare);
  void take_all(CarrierStore& other);

  // When free_unused() has something to do; kForever if never.
  int64_t due_ns() const { return due_ns_.load(std::memory_order_relaxed); }
  void free_unused(int64_t now_ns);

 private:
  struct Idle {
    std::vector<Carrier*> carriers;
    size_t least = 0;  // how many there were at the least since free_unused()
  };
  void put_locked(Carrier* c);

  SpinLock lock_;
  std::array<Idle, kStackClasses> idle_;
  std::atomic<int64_t> due_ns_{kForever};
};

// What a goroutine does, on the stack that is its own: its closure, then leaving its scope.
void run_to_end(Goroutine* g);

// The loop of a carrier: runs tasks until none is left here, then switches to other work.
void carrier_main(void* carrier);

}  // namespace gotorch::runtime
