// Sums, products and truth of many elements.
#include "tensor/reduce.h"

#include <utility>
#include <vector>

#include "tensor/copy.h"
#include "tensor/ops.h"
#include "tensor/promote.h"
#include "tensor/view.h"

namespace gotorch::ops {
namespace {

// The accumulation type of a sum: 16-bit floats in float, integers and bool in int64.
Dtype sum_dtype(Dtype result) { return is_floating(result) ? compute_dtype(result) : Dtype::Int64; }

Dtype sum_result(const Args& a, size_t at) {
  return a.dtype_or(at, is_floating(a[0].dtype()) ? a[0].dtype() : Dtype::Int64);
}

Dtype mean_result(const Args& a, size_t at) {
  const Dtype dtype = a.dtype_or(at, a[0].dtype());
  check(is_floating(dtype), "could not infer output dtype. ", a.given(at) ? "Optional" : "Input",
        " dtype must be either a floating point or complex dtype. Got: ", dtype);
  return dtype;
}

// g as if keepdim, broadcast to the input's shape.
Tensor everywhere(const GradArgs& s, const Tensor& g) {
  return expand(spread(g, s.shape(0), s.value(1), s.flag(2)), s.shape(0));
}

Tensor truth(const Args& a, bool all) {
  const Tensor y =
      reduced(a[0], a.value(1), a.flag(2),
              all ? kernels::min_kernel(Dtype::Bool) : kernels::max_kernel(Dtype::Bool));
  return as_dtype(y, a[0].dtype() == Dtype::UInt8 ? Dtype::UInt8 : Dtype::Bool);
}

// Of each element of a row (the last dim) the product of the others, by multiplications alone: with zeros too, and with all
// derivatives. Pairs are multiplied up a tree; on the way down each gets what its pair got, times its neighbour.
Tensor products_of_others(const Tensor& rows) {
  const auto widened = [](const Tensor& x, int64_t pairs) {
    DimVector shape(x.shape().first(x.dim() - 1));
    shape.push_back(pairs);
    shape.push_back(2);
    return shape;
  };
  std::vector<std::pair<int64_t, Tensor>> neighbours;  // a level's width and pairs
  Tensor level = rows;
  for (int64_t n; (n = level.size(-1)) > 1;) {
    if (n % 2) level = constant_pad_nd(level, DimVector{0, 1}, 1);
    const Tensor pairs = reshape(level, widened(level, (n + 1) / 2));
    neighbours.emplace_back(n, flip(pairs, -1));
    level = mul(select(pairs, -1, 0), select(pairs, -1, 1));
  }
  Tensor others = ones_like(level);
  for (; !neighbours.empty(); neighbours.pop_back()) {
    const auto& [n, pairs] = neighbours.back();
    others = narrow(flatten(mul(unsqueeze(others, -1), pairs), -2, -1), -1, 0, n);
  }
  return others;
}

// The same for the slices that `dim` reduces.
Tensor products_of_others(const Tensor& x, const Value& dim) {
  const auto reduced = reduced_dims(x, dim);
  DimVector order, shape, back(x.dim(), 0);
  for (const bool last : {false, true})
    for (int64_t d = 0; d < x.dim(); d++)
      if (reduced[d] == last) order.push_back(d);
  for (int64_t d = 0; d < x.dim(); d++)
    if (!reduced[d]) shape.push_back(x.size(d));
  for (int64_t i = 0; i < x.dim(); i++) back[order[i]] = i;
  shape.push_back(-1);
  const Tensor slices = permute(x, order);
  return permute(reshape(products_of_others(reshape(slices, shape)), slices.shape()), back);
}

// The derivative of a product is the product of the others: y / x, but for slices with zeros. In a slice with one zero
// it is 0 everywhere but there; its own derivatives are not.
Tensor prod_backward(const Tensor& g, const Tensor& x, const Value& dim) {
  const Tensor zero = eq(x, 0), zeros = sum(zero, dim, true);
  if (grad_mode().enabled && any(zero).item<bool>()) return mul(g, products_of_others(x, dim));
  const Tensor others = masked_fill(x, zero, 1);
  const Tensor product = prod(others, dim, true);
  const Tensor alone = mul(product, logical_and(zero, eq(zeros, 1)));
  return mul(g, where(eq(zeros, 0), true_divide(product, others), alone));
}

}  // namespace

const Op sum{{
    .sig =
        "sum(Tensor input, int[1]? dim=None, bool keepdim=False, *, dtype? dtype=None) -> Tensor",
    .doc = "The sum over `dim`, or of all elements. Integers and bool add up to int64.",
    .dtypes = kAll,
    .kernel = function([](auto& a) {
      const Dtype dtype = sum_result(a, 3);
      return as_dtype(reduced(a[0], a.value(1), a.flag(2), kernels::sum_kernel(sum_dtype(dtype))),
                      dtype);
    }),
    .grad = {wrt("input", "", [](auto& s) { return everywhere(s, s.g()); })},
    .samples = {{in(-1, 1)},
                {in(-1, 1), 0},
                {in(-1, 1), -1, true},
                {in(-1, 1, {2, 3, 4, 5}), dims({0, 2})},
                {in(-1, 1, {2, 3, 4, 5}), dims({1, 3}), true},
                {in(-1, 1, {0, 3}), 0},
                {in(-1, 1, {})},
                {indices(-5, 5, {3, 4}), 1},
                {bools({3, 4}), 0},
                {in(-1, 1), none, false, Dtype::Double}},
    .errors = {{{in(-1, 1), dims({0, 0})}, "dim 0 appears multiple times in the list of dims"},
               {{in(-1, 1), 2},
                "Dimension out of range (expected to be in range of [-2, 1], but got 2)"}},
}};

const Op mean{{
    .sig =
        "mean(Tensor input, int[1]? dim=None, bool keepdim=False, *, dtype? dtype=None) -> Tensor",
    .doc = "The mean over `dim`, or of all elements. NaN if there are none.",
    .dtypes = kAll,
    .kernel = function([](auto& a) {
      const Dtype dtype = mean_result(a, 3);
      return as_dtype(
          reduced(a[0], a.value(1), a.flag(2), kernels::mean_kernel(compute_dtype(dtype))), dtype);
    }),
    .grad = {wrt("input", "",
                 [](auto& s) {
                   const double n = reduced_count(s.shape(0), s.value(1));
                   return everywhere(s, mul(s.g(), 1 / std::max(n, 1.0)));
                 })},
    .samples = {{in(-1, 1)},
                {in(-1, 1), 0},
                {in(-1, 1), -1, true},
                {in(-1, 1, {2, 3, 4, 5}), dims({0, 2})},
                {in(-1, 1, {0, 3}), 0},
                {indices(-5, 5, {3, 4}), 1, false, Dtype::Double}},
    .errors = {{{indices(0, 5, {3})},
                "could not infer output dtype. Input dtype must be either a floating point"}},
}};

const Op prod{{
    .sig =
        "prod(Tensor input, int[1]? dim=None, bool keepdim=False, *, dtype? dtype=None) -> Tensor",
    .doc = "The product over `dim`, or of all elements. Integers and bool multiply to int64.",
    .dtypes = kAll,
    .kernel = function([](auto& a) {
      const Dtype dtype = sum_result(a, 3);
      return as_dtype(reduced(a[0], a.value(1), a.flag(2), kernels::prod_kernel(sum_dtype(dtype))),
                      dtype);
    }),
    .grad = {wrt("input", "input",
                 [](auto& s) {
                   return prod_backward(spread(s.g(), s.shape(0), s.value(1), s.flag(2)), s[0],
                                        s.value(1));
                 })},
    .samples = {{in(0.5, 2)},
                {in(0.5, 2), 0},
                {in(-2, 2, {3, 4}), -1, true},
                {in(-1, 1, {0, 3}), 0},
                {indices(-3, 3, {3, 4}), 1}},
    .errors = {{{in(-1, 1), 2}, "Dimension out of range"}},
}};

const Op any{{
    .sig = "any(Tensor input, int[1]? dim=None, bool keepdim=False) -> Tensor",
    .doc = "Whether any element over `dim` is not zero; NaN is not. uint8 stays uint8.",
    .dtypes = kAll,
    .kernel = function([](auto& a) { return truth(a, false); }),
    .samples = {{bools({3, 4})},
                {bools({3, 4}), 0},
                {in(-1, 1), 1, true},
                {bools({2, 3, 4}), dims({0, 2})},
                {bools({0, 3}), 0}},
    .errors = {{{in(-1, 1), 2}, "Dimension out of range"}},
}};

const Op all{{
    .sig = "all(Tensor input, int[1]? dim=None, bool keepdim=False) -> Tensor",
    .doc = "Whether every element over `dim` is not zero; true of none. uint8 stays uint8.",
    .dtypes = kAll,
    .kernel = function([](auto& a) { return truth(a, true); }),
    .samples = {{bools({3, 4})},
                {bools({3, 4}), 0},
                {in(-1, 1), 1, true},
                {bools({2, 3, 4}), dims({0, 2})},
                {bools({0, 3}), 0}},
    .errors = {{{in(-1, 1), 2}, "Dimension out of range"}},
}};

const Op count_nonzero{{
    .sig = "count_nonzero(Tensor input, int[1]? dim=None) -> Tensor",
    .doc = "How many elements over `dim` are not zero, in int64.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) { return sum(ne(a[0], 0), a.value(1)); }),
    .samples = {{indices(0, 2, {3, 4})},
                {indices(0, 2, {3, 4}), 0},
                {bools({2, 3, 4}), dims({0, 2})}},
}};

const Op numbers{{
    .sig = "_numbers(Tensor input) -> Tensor",
    .doc = "input with 0 for NaN.",
    .scope = Scope::Internal,
    .kernel = pointwise<kFloats>([](auto x) { return x == x ? x : decltype(x)(0); }),
    .grad = {wrt("input", "input", [](auto& s) { return where(isnan(s[0]), 0, s.g()); })},
    .samples = {{in(-1, 1)}},
}};

const Op nansum{{
    .sig = "nansum(Tensor input, int[1]? dim=None, bool keepdim=False, *, dtype? dtype=None) -> "
           "Tensor",
    .doc = "The sum with NaN taken as zero.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      const Tensor x = is_floating(a[0].dtype()) ? numbers(a[0]) : a[0];
      return sum(x, a.value(1), a.flag(2), a.value(3));
    }),
    .samples = {{in(-1, 1)}, {in(-1, 1), 0, true}},
}};

const Op nanmean{{
    .sig = "nanmean(Tensor input, int[1]? dim=None, bool keepdim=False, *, dtype? dtype=None) -> "
           "Tensor",
    .doc = "The mean of the elements that are not NaN.",
    .dtypes = kFloats,
    .kernel = compose([](auto& a) {
      const Tensor total = nansum(a[0], a.value(1), a.flag(2), a.value(3));
      return true_divide(total, sum(logical_not(isnan(a[0])), a.value(1), a.flag(2)));
    }),
    .samples = {{in(-1, 1)}, {in(-1, 1), 0, true}},
}};

const Op sum_to_size{{
    .sig = "sum_to_size(Tensor input, int[] size) -> Tensor",
    .doc = "input summed to `size`, from which its shape is broadcast.",
    .scope = Scope::Method,
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      const Dims have = a[0].shape(), want = a.ints(1);
      if (same(have, want)) return a[0];
      const auto lead = static_cast<int64_t>(have.size()) - static_cast<int64_t>(want.size());
      bool fits = lead >= 0;
      DimVector over;
      for (int64_t d = 0; fits && d < a[0].dim(); d++) {
        const int64_t size = d < lead ? 1 : want[d - lead];
        fits = size == have[d] || size == 1;
        if (size != have[d] || d < lead) over.push_back(d);
      }
      check(fits, "size ", want, " is not expandable to size ", have, ".");
      return reshape(sum(a[0], over, true), want);
    }),
    .samples = {{in(-1, 1), dims({1, 5})},
                {in(-1, 1, {2, 3, 4}), dims({3, 1})},
                {in(-1, 1), dims({})}},
    .errors = {{{in(-1, 1), dims({2})}, "size [2] is not expandable to size [3, 5]."}},
}};

const Op logsumexp{{
    .sig = "logsumexp(Tensor input, int[1] dim, bool keepdim=False) -> Tensor",
    .doc = "log(sum(exp(input))) over `dim`, without overflow: the maximum is subtracted first.",
    .dtypes = kAll,
    .kernel = function([](auto& a) {
      const Unrecorded inside;
      const Tensor x = is_floating(a[0].dtype()) ? a[0] : _to_dtype(a[0], default_dtype());
      if (x.numel() == 0) return log(sum(x, a.value(1), a.flag(2)));
      Tensor top = amax(x, a.value(1), true);
      // Infinite maxima would give inf - inf.
      top = masked_fill(top, logical_not(isfinite(top)), 0);
      const Tensor y = add(log(sum(exp(sub(x, top)), a.value(1), true)), top);
      const auto mask = reduced_dims(x, a.value(1));
      return a.flag(2) ? y : viewed(y, reduced_shape(x.shape(), mask, false));
    }),
    .grad = {wrt("input", "input result",
                 [](auto& s) {
                   const auto as_input = [&](const Tensor& t) {
                     return spread(t, s.shape(0), s.value(1), s.flag(2));
                   };
                   return mul(as_input(s.g()), exp(sub(s[0], as_input(s.y()))));
                 })},
    .samples = {{in(-1, 1), 0},
                {in(-90, 90), dims({0, 1})},
                {in(-1, 1, {2, 3, 4}), dims({0, 2}), true}},
    .errors = {{{in(-1, 1), 2}, "Dimension out of range"}},
    .ulp = 8,
}};

}  // namespace gotorch::ops
