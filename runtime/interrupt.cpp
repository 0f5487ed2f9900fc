#include "runtime/interrupt.h"

#include <signal.h>

#include <atomic>
#include <string>

#include "runtime/process_threads.h"
#include "runtime/thread_state.h"

namespace gotorch::runtime {

static std::atomic<bool (*)()> interrupt_check{nullptr}, check_applies{nullptr};
static std::atomic<const WaitHooks*> wait_hooks{nullptr};

void set_interrupt_check(bool (*check)(), bool (*applies)()) {
  check_applies.store(applies, std::memory_order_release);
  interrupt_check.store(check, std::memory_order_release);
}

bool interrupt_applies() {
  auto* applies = check_applies.load(std::memory_order_acquire);
  return !applies || applies();
}

void set_wait_hooks(const WaitHooks* hooks) { wait_hooks.store(hooks, std::memory_order_release); }

AroundWait::AroundWait() : hooks_(wait_hooks.load(std::memory_order_acquire)) {
  if (hooks_) begun_ = hooks_->begin();
}
AroundWait::~AroundWait() {
  if (hooks_) hooks_->end(begun_);
}

void interrupt_on(int signal) {
  static std::atomic<bool> signalled{false};  // lock-free, so a signal handler may write it
  struct sigaction action = {};
  action.sa_handler = [](int) { signalled.store(true, std::memory_order_relaxed); };
  action.sa_flags = SA_RESTART | SA_RESETHAND;
  if (sigaction(signal, &action, nullptr) != 0) {
    throw std::invalid_argument("interrupt_on: no such signal: " + std::to_string(signal));
  }
  harmless_signal(signal);
  set_interrupt_check([] { return signalled.exchange(false, std::memory_order_relaxed); });
}

bool interrupt_requested() {
  if (thread_state().pinned) return false;  // a goroutine; the program's own threads are asked
  auto* check = interrupt_check.load(std::memory_order_acquire);
  return check && check();
}

}  // namespace gotorch::runtime
