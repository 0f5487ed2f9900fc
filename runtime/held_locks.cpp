#include "runtime/held_locks.h"

#include <dlfcn.h>

#include <stdexcept>
#include <string>

namespace gotorch::runtime {

void refuse_to_wait_with_locks(int held) {
  throw std::logic_error("a goroutine must not wait while it holds a native lock; it holds " +
                         std::to_string(held));
}

[[maybe_unused]] static const bool kLookedFor = [] {
  held_native_locks = reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "gotorch_held_locks"));
  return true;
}();

}  // namespace gotorch::runtime
