#pragma once
#include <cstdint>

namespace gotorch::runtime {

// The next of a row of random numbers (Marsaglia 2003); the state must not be 0. For choices, not for users' random numbers.
inline uint64_t xorshift64(uint64_t& state) {
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}

}  // namespace gotorch::runtime
