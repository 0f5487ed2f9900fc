#pragma once
// Elements whose type does not matter, only their size.
#include <cstdint>

namespace gotorch::kernels {

// Calls f with a null pointer to the unsigned integer of `size` bytes.
template <class F>
void with_element(int64_t size, F f) {
  switch (size) {
    case 1: return f(static_cast<uint8_t*>(nullptr));
    case 2: return f(static_cast<uint16_t*>(nullptr));
    case 4: return f(static_cast<uint32_t*>(nullptr));
    default: return f(static_cast<uint64_t*>(nullptr));
  }
}

}  // namespace gotorch::kernels
