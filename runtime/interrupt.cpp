#include "runtime/interrupt.h"

#include <signal.h>

#include <atomic>
#include <string>

#include "runtime/thread_state.h"

namespace gotorch::runtime {

static std::atomic<bool (*)()> interrupt_check{nullptr};

void set_interrupt_check(bool (*check)()) {
  interrupt_check.store(check, std::memory_order_release);
}

void interrupt_on(int signal) {
  static std::atomic<bool> signalled{false};  // lock-free, so a signal handler may write it
  struct sigaction action = {};
  action.sa_handler = [](int) { signalled.store(true, std::memory_order_relaxed); };
  action.sa_flags = SA_RESTART | SA_RESETHAND;
  if (sigaction(signal, &action, nullptr) != 0) {
    throw std::invalid_argument("interrupt_on: no such signal: " + std::to_string(signal));
  }
  set_interrupt_check([] { return signalled.exchange(false, std::memory_order_relaxed); });
}

bool interrupt_requested() {
  if (thread_state().pinned) return false;  // a goroutine; the program's own threads are asked
  auto* check = interrupt_check.load(std::memory_order_acquire);
  return check && check();
}

}  // namespace gotorch::runtime
