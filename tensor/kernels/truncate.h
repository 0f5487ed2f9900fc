#pragma once
#include <cstdint>

namespace gotorch {

// A float as an integer, cut towards zero. What does not fit comes out as in PyTorch, which is as the processor has it;
// narrow types are cut from int32. C++ leaves that open, so the sanitizer has to look away. Vectorises.
template <class To, class From>
[[gnu::no_sanitize("float-cast-overflow")]] inline To truncated(From x) {
  if constexpr (sizeof(To) < 4) return static_cast<To>(static_cast<int32_t>(x));
  else return static_cast<To>(x);
}

}  // namespace gotorch
