#pragma once
// The single precision logarithm, sine and cosine that turn uniform into normal numbers.
//
// Polynomials and argument reduction are those of Moshier's Cephes library (logf, sinf, cosf) in
// the branch-free form of Pommier's sse_mathfun. Each product that feeds a sum is fused: the
// reference was compiled so, and the bits depend on it. std::fma makes that explicit and the same
// everywhere.
#include <bit>
#include <cmath>
#include <cstdint>

namespace gotorch {

// Natural logarithm of a normal x > 0.
inline float cephes_log(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  // x = m * 2^e with m in [0.5, 1), then moved to [sqrt(0.5), sqrt(2)).
  const float m = std::bit_cast<float>((bits & 0x007fffffu) | 0x3f000000u);
  const bool low = m < 0.707106781186547524f;
  const float e = static_cast<float>(static_cast<int32_t>(bits >> 23) - (low ? 127 : 126));
  x = (m - 1.0f) + (low ? m : 0.0f);
  const float z = x * x;
  float y = 7.0376836292e-2f;
  y = std::fma(y, x, -1.1514610310e-1f);
  y = std::fma(y, x, 1.1676998740e-1f);
  y = std::fma(y, x, -1.2420140846e-1f);
  y = std::fma(y, x, 1.4249322787e-1f);
  y = std::fma(y, x, -1.6668057665e-1f);
  y = std::fma(y, x, 2.0000714765e-1f);
  y = std::fma(y, x, -2.4999993993e-1f);
  y = std::fma(y, x, 3.3333331174e-1f);
  y = std::fma(y * x, z, e * -2.12194440e-4f);
  y = std::fma(-z, 0.5f, y);
  return std::fma(e, 0.693359375f, x + y);  // ln 2 in two parts
}

struct SinCos {
  float sin, cos;
};

// Sine and cosine of 0 <= x < 2^13.
inline SinCos cephes_sincos(float x) {
  // The octant, made even: x lies within pi/4 of it.
  const int32_t octant = (static_cast<int32_t>(x * 1.27323954473516f) + 1) & ~1;
  const float y = static_cast<float>(octant);
  x = std::fma(y, -0.78515625f, x);  // pi/4 in three parts
  x = std::fma(y, -2.4187564849853515625e-4f, x);
  x = std::fma(y, -3.77489497744594108e-8f, x);
  const float z = x * x;
  float c = 2.443315711809948e-5f;
  c = std::fma(c, z, -1.388731625493765e-3f);
  c = std::fma(c, z, 4.166664568298827e-2f);
  c = std::fma(c * z, z, -(z * 0.5f)) + 1.0f;
  float s = -1.9515295891e-4f;
  s = std::fma(s, z, 8.3321608736e-3f);
  s = std::fma(s, z, -1.6666654611e-1f);
  s = std::fma(s * z, x, x);
  const uint32_t sin_sign = static_cast<uint32_t>(octant & 4) << 29;
  const uint32_t cos_sign = static_cast<uint32_t>((octant + 2) & 4) << 29;
  const bool keep = (octant & 2) == 0;
  const uint32_t sin_bits = std::bit_cast<uint32_t>(keep ? s : c);
  const uint32_t cos_bits = std::bit_cast<uint32_t>(keep ? c : s);
  return {std::bit_cast<float>(sin_bits ^ sin_sign), std::bit_cast<float>(cos_bits ^ cos_sign)};
}

}  // namespace gotorch
