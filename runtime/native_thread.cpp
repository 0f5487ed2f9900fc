#include "runtime/native_thread.h"

#include <pthread.h>
#include <signal.h>

#include "runtime/carrier.h"
#include "runtime/scope.h"
#include "runtime/thread_state.h"

namespace gotorch::runtime {

void with_signals_blocked(FnRef<void()> f) {
  sigset_t blocked;
  sigfillset(&blocked);
  for (const int fault : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP}) sigdelset(&blocked, fault);
  struct Restore {
    sigset_t before;
    ~Restore() { pthread_sigmask(SIG_SETMASK, &before, nullptr); }
  } restore;
  pthread_sigmask(SIG_SETMASK, &blocked, &restore.before);
  f();
}

void start_pinned(Goroutine* g) {
  g->native.store(true, std::memory_order_relaxed);
  const auto run = [g] {
    thread_state().pinned = g;
    run_to_end(g);
    thread_state().pinned = nullptr;
  };
  try {
    start_thread(run).detach();
  } catch (...) {
    g->native.store(false, std::memory_order_relaxed);
    drop_goroutine(g);
    throw;
  }
}

}  // namespace gotorch::runtime
