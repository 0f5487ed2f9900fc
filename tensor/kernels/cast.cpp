#include "tensor/kernels/cast.h"

#include <immintrin.h>

#include <algorithm>

#include "tensor/kernels/truncate.h"

namespace gotorch {
namespace {

template <class From, class To>
inline void cast(void* y_, void* const* x_, int64_t n) {
  auto* y = static_cast<To*>(y_);
  const auto* x = static_cast<const detail::Stored<From>*>(x_[0]);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; i++) {
    const Compute<From> v = detail::loaded<From>(x[i]);
    if constexpr (std::is_same_v<To, bool>) y[i] = v != Compute<From>(0);
    else if constexpr (std::is_same_v<From, bool>) y[i] = v ? To(1) : To(0);
    else if constexpr (std::is_floating_point_v<Compute<From>> && std::is_integral_v<To>)
      y[i] = truncated<To>(v);
    else if constexpr (is_half(dtype_of<To>())) y[i] = To(static_cast<float>(v));
    else y[i] = static_cast<To>(v);
  }
}

// The processor's own conversions, which gcc 12 does not put into loops. The last few elements by way of full vectors.
constexpr int64_t kHalves = 8;

__attribute__((target("avx,f16c"))) void half_to_float(void* y_, void* const* x_, int64_t n) {
  auto* y = static_cast<float*>(y_);
  const auto* x = static_cast<const Half*>(x_[0]);
  const auto eight = [](const Half* from, float* to) __attribute__((target("avx,f16c"))) {
    _mm256_storeu_ps(to, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
  };
  int64_t i = 0;
  for (; i + kHalves <= n; i += kHalves) eight(x + i, y + i);
  if (i == n) return;
  Half from[kHalves];
  float to[kHalves];
  std::copy(x + i, x + n, from);
  eight(from, to);
  std::copy_n(to, n - i, y + i);
}

__attribute__((target("avx,f16c"))) void float_to_half(void* y_, void* const* x_, int64_t n) {
  auto* y = static_cast<Half*>(y_);
  const auto* x = static_cast<const float*>(x_[0]);
  const auto eight = [](const float* from, Half* to) __attribute__((target("avx,f16c"))) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                     _mm256_cvtps_ph(_mm256_loadu_ps(from), _MM_FROUND_TO_NEAREST_INT));
  };
  int64_t i = 0;
  for (; i + kHalves <= n; i += kHalves) eight(x + i, y + i);
  if (i == n) return;
  float from[kHalves] = {};
  Half to[kHalves];
  std::copy(x + i, x + n, from);
  eight(from, to);
  std::copy_n(to, n - i, y + i);
}

}  // namespace

Loop cast_loop(Dtype from, Dtype to) {
  if (active_isa() >= Isa::V3) {
    if (from == Dtype::Half && to == Dtype::Float) return &half_to_float;
    if (from == Dtype::Float && to == Dtype::Half) return &float_to_half;
  }
  return dispatch(from, [&]<class From>() {
    return dispatch(to, [&]<class To>() -> Loop { return best_variant<&cast<From, To>>(); });
  });
}

}  // namespace gotorch
