#include "runtime/interrupt.h"

#include <atomic>

namespace gotorch::runtime {

static std::atomic<bool (*)()> interrupt_check{nullptr};

void set_interrupt_check(bool (*check)()) {
  interrupt_check.store(check, std::memory_order_release);
}

bool interrupt_requested() {
  auto* check = interrupt_check.load(std::memory_order_acquire);
  return check && check();
}

}  // namespace gotorch::runtime
