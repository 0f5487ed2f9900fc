#pragma once
// Carriers: the pooled fibers that goroutines run on.
//
// Invariants
//  - A carrier runs one goroutine after another and never ends. A goroutine that waits keeps its
//    carrier; a carrier without one is in a list of idle carriers.
//  - A carrier that is not running may be resumed by any worker.
//  - A switch of stacks does not switch the C++ runtime's record of exceptions in flight. Whoever
//    switches out saves its own and restores it when it comes back.
#include <utility>
#include <vector>

#include "runtime/fiber.h"
#include "runtime/goroutine.h"
#include "runtime/spin.h"

namespace gotorch::runtime {

struct Carrier {
  Fiber fiber;
  Goroutine* next_task = nullptr;  // what to run when resumed idle
};

// What a thread of C++ keeps while exceptions are being handled.
// Laid out as the ABI's __cxa_eh_globals begins.
struct ExceptionState {
  void* caught = nullptr;
  unsigned int uncaught = 0;
};
ExceptionState* thread_exception_record();

// The idle carriers of workers that have too many, or are gone.
class CarrierStore {
 public:
  void put(Carrier* c) {
    lock_.lock();
    idle_.push_back(c);
    lock_.unlock();
  }
  void take_all(CarrierStore& other) {
    while (Carrier* c = other.take()) put(c);
  }
  Carrier* take() {
    lock_.lock();
    Carrier* c = idle_.empty() ? nullptr : idle_.back();
    if (c) idle_.pop_back();
    lock_.unlock();
    return c;
  }

 private:
  SpinLock lock_;
  std::vector<Carrier*> idle_;
};

// The loop of a carrier: runs tasks until none is left here, then switches to other work.
void carrier_main(void* carrier);

}  // namespace gotorch::runtime
