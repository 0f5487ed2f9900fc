// That AddressSanitizer knows which stack a thread is on, after any switch.
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>

#include <atomic>
#include <string>

#include "runtime/chan.h"
#include "runtime/scope.h"
#include "tests/runtime/workers.h"

namespace gotorch::runtime {
namespace {

// Asks of a variable in a fresh frame.
[[gnu::noinline]] bool stack_is_known() {
  volatile char here[32] = {};
  char name[32];
  void* region = nullptr;
  size_t size = 0;
  return __asan_locate_address(const_cast<char*>(here), name, sizeof name, &region, &size) ==
         std::string("stack");
}

class Stacks : public OnWorkers {};
RUN_ON_WORKERS(Stacks);

TEST_P(Stacks, AreKnownWhereverAGoroutineGoesOn) {
  constexpr int kGoroutines = 50, kSwitches = 20;
  std::atomic<int> known{0};
  scope s;
  chan<int> c(0);
  for (int i = 0; i < kGoroutines; i++) {
    s.go([&, i] {
      for (int k = 0; k < kSwitches; k++) {
        if (i % 2) c.send(k);
        else c.receive();
        known += stack_is_known();
      }
    });
  }
  s.join();
  EXPECT_EQ(known, kGoroutines * kSwitches);
}

}  // namespace
}  // namespace gotorch::runtime
#endif
