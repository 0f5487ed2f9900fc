// Running sums, products and extremes along a dimension.
#include "tensor/kernels/scan.h"

#include <limits>
#include <vector>

#include "tensor/copy.h"
#include "tensor/ops.h"
#include "tensor/ops/axis.h"

namespace gotorch::ops {
namespace {

using kernels::Axis;

Dtype running_dtype(const Args& a, size_t at) {
  return a.dtype_or(at, is_floating(a[0].dtype()) ? a[0].dtype() : Dtype::Int64);
}

// f(x, y, axis) on elements of the accumulation type: float, double or int64.
template <class F>
Tensor running(const Tensor& x, int64_t d, Dtype dtype, F f) {
  const int64_t dim = wrap_dim(d, x.dim());
  const Dtype compute = is_floating(dtype) ? compute_dtype(dtype) : Dtype::Int64;
  const Tensor from = packed(x, compute), y = gotorch::empty(x.shape(), compute);
  if (y.numel() > 0)
    dispatch(compute, [&]<class T>() {
      if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double> ||
                    std::is_same_v<T, int64_t>)
        f(from.data<T>(), y.data<T>(), axis_of(x.shape(), dim));
    });
  return as_dtype(y, dtype);
}

// Extremes keep the dtype; bool is ordered as bytes.
template <class F>
Tensors running_extreme(const Args& a, F f) {
  const Tensor& x = a[0];
  const int64_t dim = wrap_dim(a.integer(1), x.dim());
  const Dtype dtype = x.dtype(), compute = compute_dtype(dtype);
  const Tensor from = packed(x, compute), y = gotorch::empty(x.shape(), compute);
  Tensor places = gotorch::empty(x.shape(), Dtype::Int64);
  if (y.numel() > 0)
    dispatch(compute, [&]<class S>() {
      if constexpr (std::is_same_v<S, Compute<S>>) {
        using T = std::conditional_t<std::is_same_v<S, bool>, uint8_t, S>;
        f(static_cast<const T*>(from.raw()), static_cast<T*>(y.raw()), places.data<int64_t>(),
          axis_of(x.shape(), dim));
      }
    });
  return {as_dtype(y, dtype), places};
}

// Sums of what comes at or after each place.
Tensor sums_from_the_end(const Tensor& g, int64_t dim) {
  if (g.dim() == 0) return g;
  return flip(cumsum(flip(g, dim), dim), dim);
}

Tensor put_back(const GradArgs& s) {
  return scatter_add.inplace(zeros(s.shape(0), s.g().dtype()), s.integer(1), s.y(1), s.g());
}

// By multiplications and additions alone, so with all derivatives where there are zeros.
Tensor cumprod_backward_by_steps(const Tensor& g, const Tensor& x, int64_t dim) {
  std::vector<Tensor> parts(x.size(dim));
  const auto at = [&](const Tensor& t, int64_t k) { return select(t, dim, k); };
  const int64_t n = std::ssize(parts);
  // The sum over j >= k of g[j] times the product of x from k + 1 to j; then times the product of x before k.
  for (int64_t k = n - 1; k >= 0; k--)
    parts[k] = k == n - 1 ? at(g, k) : add(at(g, k), mul(at(x, k + 1), parts[k + 1]));
  Tensor before;
  for (int64_t k = 1; k < n; k++) {
    before = k == 1 ? at(x, 0) : mul(before, at(x, k - 1));
    parts[k] = mul(parts[k], before);
  }
  return stack(parts, dim);
}

// Where x is not 0 the sum of g * y at or after it, divided by x: this holds up to the first 0 of a row. At the first 0
// the products without it take y's place, and behind it everything is 0.
Tensor cumprod_backward(const Tensor& g, const Tensor& x, const Tensor& y, int64_t dim) {
  const Tensor zero = eq(x, 0);
  if (x.dim() > 0 && grad_mode().enabled && any(zero).item<bool>())
    return cumprod_backward_by_steps(g, x, dim);
  const Tensor zeros_so_far = cumsum(zero, dim);
  const Tensor first = logical_and(zero, eq(zeros_so_far, 1));
  const Tensor before = true_divide(sums_from_the_end(mul(g, y), dim), masked_fill(x, zero, 1));
  const Tensor at = sums_from_the_end(
      mul(g, masked_fill(cumprod(masked_fill(x, first, 1), dim), eq(zeros_so_far, 0), 0)), dim);
  return where(eq(zeros_so_far, 0), before, mul(at, first));
}

// exp(x) * (the sum of g / exp(y) at or after each place), in logarithms so that nothing overflows.
Tensor logcumsumexp_backward(const Tensor& g, const Tensor& x, const Tensor& y, int64_t dim) {
  const double lowest = std::numeric_limits<float>::lowest();
  const Tensor size = log(abs(g));
  const auto part = [&](const Tensor& here) {
    const Tensor logs = sub(where(here, size, lowest), y);
    const Tensor sums = g.dim() == 0 ? logs : flip(logcumsumexp(flip(logs, dim), dim), dim);
    return exp(add(sums, x));
  };
  return sub(part(gt(g, 0)), part(lt(g, 0)));
}

}  // namespace

const Op cumsum{{
    .sig = "cumsum(Tensor input, int dim, *, dtype? dtype=None) -> Tensor",
    .doc = "Sums of the elements along `dim` up to each place. Integers and bool add up to int64.",
    .dtypes = kAll,
    .kernel = function([](auto& a) {
      return running(a[0], a.integer(1), running_dtype(a, 2),
                     [](auto* x, auto* y, Axis axis) { kernels::cumsum(x, y, axis); });
    }),
    .grad = {wrt("input", "", [](auto& s) { return sums_from_the_end(s.g(), s.integer(1)); })},
    .samples = {{in(-1, 1), 0},
                {in(-1, 1), -1},
                {in(-1, 1, {2, 3, 4}), 1},
                {indices(-5, 5, {3, 4}), 1},
                {bools({3, 4}), 0},
                {in(-1, 1, {}), 0}},
    .errors = {{{in(-1, 1), 2}, "Dimension out of range"}},
}};

const Op cumprod{{
    .sig = "cumprod(Tensor input, int dim, *, dtype? dtype=None) -> Tensor",
    .doc = "Products of the elements along `dim` up to each place. Integers and bool multiply to "
           "int64.",
    .dtypes = kAll,
    .kernel = function([](auto& a) {
      return running(a[0], a.integer(1), running_dtype(a, 2),
                     [](auto* x, auto* y, Axis axis) { kernels::cumprod(x, y, axis); });
    }),
    .grad = {wrt("input", "input result",
                 [](auto& s) { return cumprod_backward(s.g(), s[0], s.y(), s.integer(1)); })},
    .samples =
        {{in(0.5, 2), 0}, {in(-2, 2), -1}, {in(0.5, 2, {2, 3, 4}), 1}, {indices(-3, 3, {3, 4}), 1}},
    .errors = {{{in(-1, 1), 2}, "Dimension out of range"}},
}};

const Op logcumsumexp{{
    .sig = "logcumsumexp(Tensor input, int dim) -> Tensor",
    .doc = "log(cumsum(exp(input))) along `dim`, without overflow.",
    .dtypes = kFloats,
    .kernel = function([](auto& a) {
      return running(a[0], a.integer(1), a[0].dtype(), []<class T>(const T* x, T* y, Axis axis) {
        if constexpr (std::is_floating_point_v<T>) kernels::logcumsumexp(x, y, axis);
      });
    }),
    .grad = {wrt("input", "input result",
                 [](auto& s) { return logcumsumexp_backward(s.g(), s[0], s.y(), s.integer(1)); })},
    .samples = {{in(-1, 1), 0}, {in(-90, 90), -1}, {in(-1, 1, {2, 3, 4}), 1}},
    .errors = {{{in(-1, 1), 2}, "Dimension out of range"},
               {{indices(0, 3, {3}), 0}, "not implemented for int64"}},
    .ulp = 8,
}};

const Op cummax{{
    .sig = "cummax(Tensor input, int dim) -> (Tensor values, Tensor indices)",
    .doc = "The largest element along `dim` up to each place, and where it was last met. NaN is "
           "larger than anything.",
    .dtypes = kAll,
    .kernel = function([](auto& a) {
      return running_extreme(a, [](auto* x, auto* y, int64_t* places, Axis axis) {
        kernels::cummax(x, y, places, axis);
      });
    }),
    .grad = {wrt("input", "indices", [](auto& s) { return put_back(s); })},
    .samples = {{in(-1, 1), 0}, {in(-1, 1), -1}, {indices(-5, 5, {3, 4}), 1}, {bools({3, 4}), 0}},
    .errors = {{{in(-1, 1), 2}, "Dimension out of range"}},
}};

const Op cummin{{
    .sig = "cummin(Tensor input, int dim) -> (Tensor values, Tensor indices)",
    .doc = "The smallest element along `dim` up to each place, and where it was last met. NaN is "
           "smaller than anything.",
    .dtypes = kAll,
    .kernel = function([](auto& a) {
      return running_extreme(a, [](auto* x, auto* y, int64_t* places, Axis axis) {
        kernels::cummin(x, y, places, axis);
      });
    }),
    .grad = {wrt("input", "indices", [](auto& s) { return put_back(s); })},
    .samples = {{in(-1, 1), 0}, {in(-1, 1), -1}, {indices(-5, 5, {3, 4}), 1}, {bools({3, 4}), 0}},
    .errors = {{{in(-1, 1), 2}, "Dimension out of range"}},
}};

const Op diff{{
    .sig = "diff(Tensor input, int n=1, int dim=-1, Tensor? prepend=None, Tensor? append=None) -> "
           "Tensor",
    .doc = "Differences of neighbours along `dim`, n times over.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      check(a[0].dim() > 0, "diff expects input to be at least one-dimensional");
      check(a.integer(1) >= 0, "order must be non-negative but got ", a.integer(1));
      const int64_t dim = wrap_dim(a.integer(2), a[0].dim());
      Tensors parts;
      if (a.given(3)) parts.push_back(a[3]);
      parts.push_back(a[0]);
      if (a.given(4)) parts.push_back(a[4]);
      Tensor x = parts.size() > 1 ? cat(parts, dim) : a[0];
      for (int64_t i = 0; i < std::min(a.integer(1), a[0].shape()[dim]); i++) {
        const Tensor next = slice(x, dim, 1), previous = slice(x, dim, 0, -1);
        x = x.dtype() == Dtype::Bool ? logical_xor(next, previous) : sub(next, previous);
      }
      return x;
    }),
    .samples = {{in(-1, 1)}, {in(-1, 1), 2, 0}, {in(-1, 1), 1, 1, in(-1, 1, {3, 1})}},
    .errors = {{{in(-1, 1, {})}, "diff expects input to be at least one-dimensional"}},
}};

}  // namespace gotorch::ops
