// Whether tensors are equal, nearly or exactly, and membership.
#include <atomic>

#include "runtime/parallel.h"
#include "tensor/copy.h"
#include "tensor/ops.h"
#include "tensor/promote.h"

namespace gotorch::ops {
namespace {

// |x - y| <= atol + rtol * |y|, in the dtype of x and y; equal infinities are close, NaN only with equal_nan.
Tensor close(const Tensor& x, const Tensor& y, double rtol, double atol, bool equal_nan) {
  check(x.dtype() == y.dtype(), x.dtype(), " did not match ", y.dtype());
  check(rtol >= 0, "rtol must be greater than or equal to zero, but got ", rtol);
  check(atol >= 0, "atol must be greater than or equal to zero, but got ", atol);
  Tensor same = eq(x, y);
  if (equal_nan && x.is_floating()) same = logical_or(same, logical_and(isnan(x), isnan(y)));
  if (rtol == 0 && atol == 0) return same;
  // Differences of small integers overflow, and tolerances are not integers.
  const auto real = [](const Tensor& t) {
    return t.is_floating() ? t : _to_dtype(t, default_dtype());
  };
  const Tensor a = real(x), b = real(y);
  const Tensor allowed = add(mul(abs(b), rtol), atol);
  const Tensor apart = abs(sub(a, b));
  return logical_or(same, logical_and(isfinite(apart), le(apart, allowed)));
}

template <class T>
inline bool differ(const T* x, const T* y, int64_t n) {
  bool any = false;
  for (int64_t i = 0; i < n; i++) any |= x[i] != y[i];
  return any;
}

// Whether contiguous tensors of one shape and dtype are equal; ends at a difference.
bool same_elements(const Tensor& x, const Tensor& y) {
  std::atomic<bool> equal{true};
  dispatch(x.dtype(), [&]<class T>() {
    if constexpr (std::is_same_v<T, Compute<T>>) {
      static const auto differs = best_variant<&differ<T>>();
      const T* a = static_cast<const T*>(x.raw());
      const T* b = static_cast<const T*>(y.raw());
      constexpr int64_t kBlock = 4096;
      runtime::parallel_for(x.numel(), 16 * kBlock, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end && equal.load(std::memory_order_relaxed); i += kBlock)
          if (differs(a + i, b + i, std::min(kBlock, end - i)))
            equal.store(false, std::memory_order_relaxed);
      });
    }
  });
  return equal;
}

}  // namespace

const Op isclose{{
    .sig = "isclose(Tensor input, Tensor other, float rtol=1e-05, float atol=1e-08, bool "
           "equal_nan=False) -> Tensor",
    .doc = "|input - other| <= atol + rtol * |other|. NaN equals NaN only with equal_nan.",
    .dtypes = kAll,
    .kernel =
        compose([](auto& a) { return close(a[0], a[1], a.number(2), a.number(3), a.flag(4)); }),
    .samples = {{in(-1, 1), in(-1, 1)}, {in(-1, 1), in(-1, 1), 0.5, 0.5, true}},
    .errors = {{{in(-1, 1), indices(0, 2, {3, 5})}, "did not match"},
               {{in(-1, 1), in(-1, 1), -1.0}, "rtol must be greater"}},
}};

const Op allclose{{
    .sig = "allclose(Tensor input, Tensor other, float rtol=1e-05, float atol=1e-08, bool "
           "equal_nan=False) -> bool",
    .doc = "Whether all elements are close, as isclose says it.",
    .dtypes = kAll,
    .kernel = compose(
        [](auto& a) { return all(close(a[0], a[1], a.number(2), a.number(3), a.flag(4))); }),
    .samples = {{in(-1, 1), in(-1, 1)}, {in(-1, 1), in(-1, 1), 2.0, 2.0}},
}};

const Op equal{{
    .sig = "equal(Tensor input, Tensor other) -> bool",
    .doc = "Whether the two have the same shape and equal elements; NaN equals nothing.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) -> Tensor {
      const Tensor &x = a[0], &y = a[1];
      if (!same(x.shape(), y.shape())) return gotorch::scalar_tensor(false, Dtype::Bool);
      const bool plain = x.dtype() == y.dtype() && x.is_contiguous() && y.is_contiguous();
      if (!plain || is_half(x.dtype()) || x.dtype() == Dtype::Bool) return all(eq(x, y));
      return gotorch::scalar_tensor(same_elements(x, y), Dtype::Bool);
    }),
    .samples = {{in(-1, 1), in(-1, 1)}, {in(-1, 1), in(-1, 1, {5})}},
}};

const Op isin{{
    .sig = "isin(Tensor elements, Tensor test_elements, *, bool assume_unique=False, bool "
           "invert=False) -> Tensor",
    .doc = "Whether each of `elements` is among `test_elements`; with invert, whether it is not.",
    .scope = Scope::Function,
    .dtypes = kNumbers,
    .kernel = compose([](auto& a) -> Tensor {
      const Tensor sorted = sort.all(reshape(a[1], -1))[0];
      if (sorted.numel() == 0) return full(a[0].shape(), a.flag(3), Dtype::Bool);
      const Tensor x = a[0].dtype() == sorted.dtype() ? a[0] : _to_dtype(a[0], sorted.dtype());
      const Tensor place = clamp_max(searchsorted(sorted, x), sorted.numel() - 1);
      const Tensor found = eq(take(sorted, place), a[0]);
      return a.flag(3) ? logical_not(found) : found;
    }),
    .samples = {{indices(0, 9, {3, 5}), indices(0, 9, {4})},
                {in(-1, 1), in(-1, 1, {3})},
                {indices(0, 9, {3, 5}), indices(0, 9, {4}), false, true}},
}};

}  // namespace gotorch::ops
