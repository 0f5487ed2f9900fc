#pragma once
// 16-bit floating point storage types. Arithmetic happens in float; these only convert.
#include <bit>
#include <cstdint>

namespace gotorch {

// bfloat16: the upper half of a float. Rounds to nearest even; NaN stays NaN.
struct BFloat16 {
  uint16_t bits = 0;
  BFloat16() = default;
  BFloat16(float x) {
    const uint32_t u = std::bit_cast<uint32_t>(x);
    const uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    const bool is_nan = (u & 0x7fffffffu) > 0x7f800000u;
    bits = static_cast<uint16_t>(is_nan ? 0x7fc0u : rounded);
  }
  operator float() const { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }
};

// IEEE binary16. Rounds to nearest even, with subnormals; NaN keeps what fits of its bits and gets quiet, as the
// processor's conversions do (tensor/kernels/cast.cpp).
struct Half {
  uint16_t bits = 0;
  Half() = default;
  Half(float x) {
    const uint32_t u = std::bit_cast<uint32_t>(x);
    const uint32_t sign = (u >> 16) & 0x8000u;
    const uint32_t a = u & 0x7fffffffu;
    // Normal results: rebias the exponent by -112 and round the 13 dropped bits.
    const uint32_t normal = (a - (112u << 23) + 0xfffu + ((a >> 13) & 1u)) >> 13;
    // Subnormal results: adding 0.5 aligns the mantissa so that the FPU rounds at 2^-24.
    const float shifted = std::bit_cast<float>(a) + 0.5f;
    const uint32_t subnormal = std::bit_cast<uint32_t>(shifted) - 0x3f000000u;
    uint32_t r = a < (113u << 23) ? subnormal : normal;
    r = a >= 0x477ff000u ? 0x7c00u : r;  // 65520 and above rounds to infinity
    r = a > 0x7f800000u ? 0x7e00u | ((a >> 13) & 0x3ffu) : r;
    bits = static_cast<uint16_t>(sign | r);
  }
  operator float() const {
    const uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
    const uint32_t a = bits & 0x7fffu;
    const uint32_t normal = (a << 13) + (112u << 23);
    // Subnormals and zero: an exact integer multiple of 2^-24.
    const uint32_t subnormal =
        std::bit_cast<uint32_t>(static_cast<float>(static_cast<int>(a)) * 0x1p-24f);
    uint32_t r = a < 0x400u ? subnormal : normal;
    r = a >= 0x7c00u ? (a << 13) | 0x7f800000u : r;
    r = a > 0x7c00u ? r | 0x400000u : r;
    return std::bit_cast<float>(sign | r);
  }
};

}  // namespace gotorch
