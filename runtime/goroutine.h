#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <source_location>
#include <type_traits>
#include <utility>

#include "runtime/fn_ref.h"

namespace gotorch::runtime {

struct Fiber;
class ScopeState;

enum class WakeReason : uint64_t { Signal, Timeout, Cancelled, Interrupted };

// A goroutine: a closure in a queue until it first runs, then also a fiber until it ends. A native
// thread that waits in the runtime is represented by one, too.
//
// Invariants
//  - Memory is never unmapped and `wait` only grows, also across reuse: a late look at a goroutine
//    that has ended, or a late futex wake, does no harm.
//  - `wait` is sequence << 4 | reason << 2 | state. Running -> Waiting by itself, on its way to leave its
//    fiber; Waiting -> Claimed by the one waker that wins the exchange, which alone may
//    then touch the goroutine and must make it ready; Claimed -> Running, with the next sequence,
//    by itself. Who finds it in a queue before it has left its fiber (Fiber::resumable) leaves it for later. A timer may also claim it while Running, on its way to wait: then it does not wait.
struct alignas(128) Goroutine {
  enum State : uint64_t { kRunning = 0, kWaiting = 1, kClaimed = 2, kStateMask = 3 };
  enum Signal : uint32_t { kSignalled = 1, kAsleep = 2 };
  static constexpr size_t kInlineClosure = 40;

  std::atomic<uint64_t> wait{0};
  Fiber* fiber = nullptr;     // null: not started
  Goroutine* next = nullptr;  // in whatever list holds it
  std::atomic<ScopeState*> scope{nullptr};
  std::atomic<const char*> waits_for{nullptr};  // for reports; null: not waiting
  std::atomic<const void*> waits_on{nullptr};
  std::atomic<std::source_location> site{};  // of the go() that started it; line 0: it is free
  void* fired = nullptr;  // what the waker left: the channel waiter that was served
  void (*invoke)(Goroutine&, bool run) = nullptr;  // destroys the closure in any case
  std::atomic<uint32_t> signal{0};                 // of a native thread: a Signal, or 0
  std::atomic<bool> native{false};
  std::atomic<bool> cancellable{false};  // this wait, by its context
  std::atomic<bool> timed{false};        // a native thread's wait: it ends by itself
  uint8_t stack_size = 0;                // a StackClass; until it has a fiber
  std::atomic<uint32_t> since_ms{0};     // when the wait began, by the coarse clock
  std::atomic<uint32_t> thread{0};       // of a native thread that waits: its number for the system
  alignas(8) std::byte closure[kInlineClosure];

  template <class F>
  void set_closure(F&& f) {
    using D = std::decay_t<F>;
    if constexpr (sizeof(D) <= kInlineClosure && alignof(D) <= 8) {
      new (closure) D(std::forward<F>(f));
      invoke = [](Goroutine& g, bool run) {
        struct Destroy {
          D* f;
          ~Destroy() { f->~D(); }
        } owned{std::launder(reinterpret_cast<D*>(g.closure))};
        if (run) (*owned.f)();
      };
    } else {
      set_closure([boxed = std::make_unique<D>(std::forward<F>(f))] { (*boxed)(); });
    }
  }

  static uint64_t claimed(uint64_t waiting, WakeReason reason) {
    return (waiting & ~uint64_t{15}) | static_cast<uint64_t>(reason) << 2 | kClaimed;
  }
};
static_assert(sizeof(Goroutine) == 128);

// Recycles goroutines; each worker keeps up to two chains of 64, the rest are shared.
class GoroutineCache {
 public:
  Goroutine* get();
  void put(Goroutine* g);
  void give_back_all();

 private:
  Goroutine* free_ = nullptr;
  Goroutine* full_ = nullptr;
  int count_ = 0;  // in free_; chains may be a little shorter
};

Goroutine* new_goroutine_shared();
void free_goroutine_shared(Goroutine* g);

// Calls visit on every goroutine there is or has been. They go on changing meanwhile.
void for_each_goroutine(FnRef<void(Goroutine&)> visit);
// The same for those that seem to be in use, with a number that stays theirs until they end.
void for_each_live_goroutine(FnRef<void(Goroutine&, int64_t number)> visit);
// In a forked child: none of them will run here. Native threads that still exist say so again.
void forget_goroutines_after_fork();

void lock_goroutine_pool_for_fork();
void unlock_goroutine_pool_after_fork();

}  // namespace gotorch::runtime
