#include "tensor/kernels/mt19937.h"

#include "tensor/simd/isa.h"

namespace gotorch {
namespace {

constexpr int kShift = 397;

inline uint32_t next_word(uint32_t a, uint32_t b, uint32_t far) {
  const uint32_t y = (a & 0x80000000u) | (b & 0x7fffffffu);
  return far ^ (y >> 1) ^ ((0u - (y & 1u)) & 0x9908b0dfu);
}

// The loops are split where the far word changes from old to new, so each has one fixed distance
// (at least 227 words) and vectorises.
void twist(uint32_t* s) {
  constexpr int kOld = kMtWords - kShift;
  for (int i = 0; i < kOld; i++) s[i] = next_word(s[i], s[i + 1], s[i + kShift]);
  for (int i = kOld; i < kMtWords - 1; i++) s[i] = next_word(s[i], s[i + 1], s[i - kOld]);
  s[kMtWords - 1] = next_word(s[kMtWords - 1], s[0], s[kShift - 1]);
}

void temper(const uint32_t* __restrict state, uint32_t* __restrict out, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    uint32_t y = state[i];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    out[i] = y ^ (y >> 18);
  }
}

}  // namespace

void mt19937_seed(uint32_t* state, uint32_t seed) {
  state[0] = seed;
  for (uint32_t i = 1; i < kMtWords; i++) {
    state[i] = 1812433253u * (state[i - 1] ^ (state[i - 1] >> 30)) + i;
  }
}

void mt19937_twist(uint32_t* state) {
  static const auto kernel = best_variant<&twist>();
  kernel(state);
}

void mt19937_temper(const uint32_t* state, uint32_t* out, int64_t n) {
  static const auto kernel = best_variant<&temper>();
  kernel(state, out, n);
}

}  // namespace gotorch
