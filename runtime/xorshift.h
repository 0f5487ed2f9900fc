#pragma once
#include <cstdint>

namespace gotorch::runtime {

// The next of a row of random numbers (Marsaglia 2003); the state must not be 0. For choices, not for users' random numbers.
inline uint64_t xorshift64([[maybe_unused]] uint64_t& state) {
#if defined(GOTORCH_MODEL)  // tests/models tries all that matters
  return static_cast<uint64_t>(explorer::pick(2)) << 63;
#else
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
#endif
}

}  // namespace gotorch::runtime
