#include "tensor/kernels/cast.h"

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

}  // namespace

Loop cast_loop(Dtype from, Dtype to) {
  return dispatch(from, [&]<class From>() {
    return dispatch(to, [&]<class To>() -> Loop { return best_variant<&cast<From, To>>(); });
  });
}

}  // namespace gotorch
