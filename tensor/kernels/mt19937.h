#pragma once
// The Mersenne Twister MT19937 of Matsumoto and Nishimura (1998), a block of 624 words at a time.
#include <cstdint>

namespace gotorch {

inline constexpr int kMtWords = 624;

// Fills the state from a 32-bit seed, by the generator's own initialisation (2002 version).
void mt19937_seed(uint32_t* state, uint32_t seed);

// Replaces the state by its successor: the next 624 words before tempering.
void mt19937_twist(uint32_t* state);

// The output words of n state words.
void mt19937_temper(const uint32_t* state, uint32_t* out, int64_t n);

}  // namespace gotorch
