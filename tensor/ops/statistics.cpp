// Variance, standard deviation, vector norms.
#include <cmath>

#include "tensor/copy.h"
#include "tensor/ops.h"
#include "tensor/promote.h"
#include "tensor/reduce.h"

namespace gotorch::ops {
namespace {

// The arguments of var and its relatives: (input, dim, unbiased, keepdim, correction).
double correction_of(const Args& a) {
  check(!(a.given(2) && a.given(4)), "takes unbiased or correction, not both");
  if (a.given(4)) return a.number(4);
  return a.given(2) && !a.flag(2) ? 0 : 1;
}
double freedom_of(const GradArgs& s) {
  return std::max(0.0, reduced_count(s.shape(0), s.value(1)) - correction_of(s));
}

Tensors variance(const Args& a, const kernels::ReduceKernel& (*kernel)(Dtype), bool with_mean) {
  const Dtype dtype = a[0].dtype();
  check(is_floating(dtype), "std and var only support floating point and complex dtypes, got ",
        dtype);
  const Dtype compute = compute_dtype(dtype);
  Tensor mean;
  const Tensor y = reduced(a[0], a.value(1), a.flag(3), kernel(compute), correction_of(a),
                           with_mean ? &mean : nullptr, compute);
  if (!with_mean) return Tensors{as_dtype(y, dtype)};
  return Tensors{as_dtype(y, dtype), as_dtype(mean, dtype)};
}

Tensor as_input(const GradArgs& s, const Tensor& t) {
  return spread(t, s.shape(0), s.value(1), s.flag(3));
}

Tensor deviation(const GradArgs& s) { return sub(s[0], mean(s[0], s.value(1), true)); }

Tensor var_backward(const GradArgs& s, const Tensor& g) {
  return mul(mul(as_input(s, g), deviation(s)), 2 / freedom_of(s));
}

// Zero where the deviation is zero, though the root has no derivative there.
Tensor std_backward(const GradArgs& s, const Tensor& g, const Tensor& y) {
  const Tensor share = masked_fill(true_divide(g, mul(y, freedom_of(s))), eq(y, 0), 0);
  return mul(as_input(s, share), deviation(s));
}

Tensor mean_backward(const GradArgs& s, const Tensor& g) {
  return expand(as_input(s, mul(g, 1 / std::max(1.0, reduced_count(s.shape(0), s.value(1))))),
                s.shape(0));
}

// (x, ord, dim, keepdim, dtype)
Tensor norm_of(const Args& a) {
  const Dtype dtype = a.dtype_or(4, a[0].dtype());
  check(is_floating(a[0].dtype()), "Expected a floating point or complex tensor as input. Got ",
        a[0].dtype());
  check(is_floating(dtype), "dtype should be floating point, but got ", dtype);
  check(promote(a[0].dtype(), dtype) == dtype, "the dtype of the input (", a[0].dtype(),
        ") should be convertible without narrowing to the specified dtype (", dtype, ")");
  const double ord = a.number(1);
  const Dtype compute = compute_dtype(dtype);
  const auto fold = [&](const Tensor& x, const kernels::ReduceKernel& kernel) {
    return as_dtype(reduced(x, a.value(2), a.flag(3), kernel), dtype);
  };
  const Unrecorded inside;
  if (ord == 2) return fold(a[0], kernels::norm2_kernel(compute));
  const Tensor x = a[0].dtype() == compute ? a[0] : _to_dtype(a[0], compute);
  if (ord == 0) return fold(ne(x, 0), kernels::sum_kernel(compute));
  if (ord == 1) return fold(abs(x), kernels::sum_kernel(compute));
  if (std::isinf(ord)) {
    check(a[0].numel() > 0 || reduced_count(x.shape(), a.value(2)) > 0, "cannot compute the ", ord,
          " norm on an empty tensor because the operation does not have an identity");
    return fold(abs(x), ord > 0 ? kernels::max_kernel(compute) : kernels::min_kernel(compute));
  }
  const Tensor sum = reduced(pow(abs(x), ord), a.value(2), a.flag(3), kernels::sum_kernel(compute));
  return as_dtype(pow(sum, 1 / ord), dtype);
}

Tensor norm_backward(const GradArgs& s) {
  const auto as_input = [&](const Tensor& t) {
    return spread(t, s.shape(0), s.value(2), s.flag(3));
  };
  const double ord = s.number(1);
  if (ord == 0) return Tensor();
  const Tensor g = as_input(s.g()), y = as_input(s.y());
  const Tensor& x = s[0];
  if (ord == 1) return mul(g, sign(x));
  if (ord == 2) {
    const Tensor zero = eq(y, 0);
    return mul(x, masked_fill(true_divide(g, masked_fill(y, zero, 1)), zero, 0));
  }
  if (std::isinf(ord)) {
    const Tensor tied = eq(abs(x), y);
    return mul(mul(true_divide(g, sum(tied, s.value(2), true)), tied), sign(x));
  }
  // |x / y|^(ord - 1), with 0 for 0/0 and for the pole of ord < 1.
  const Tensor ratio = abs(true_divide(x, y));
  const Tensor slope = masked_fill(pow(ratio, ord - 1), logical_or(eq(x, 0), eq(y, 0)), 0);
  return mul(mul(g, slope), sign(x));
}

}  // namespace

const Op var{{
    .sig = "var(Tensor input, int[1]? dim=None, bool? unbiased=None, bool keepdim=False, *, "
           "Scalar? correction=None) -> Tensor",
    .doc = "The sum of squared deviations from the mean, divided by n - correction; the correction "
           "is 1, or 0 with "
           "unbiased=False.",
    .dtypes = kAll,
    .kernel = function([](auto& a) { return variance(a, kernels::var_kernel, false); }),
    .grad = {wrt("input", "input", [](auto& s) { return var_backward(s, s.g()); })},
    .samples = {{in(-1, 1)},
                {in(-1, 1), 0},
                {in(-1, 1), -1, false, true},
                {in(-1, 1, {2, 3, 4, 5}), dims({0, 2})},
                {in(-1, 1), 1, none, false, 2},
                {in(-1, 1, {1}), 0, false}},
    .errors = {{{indices(0, 5, {3})}, "std and var only support floating point"},
               {{in(-1, 1), 2}, "Dimension out of range"}},
}};

const Op std_{{
    .sig = "std(Tensor input, int[1]? dim=None, bool? unbiased=None, bool keepdim=False, *, "
           "Scalar? correction=None) -> Tensor",
    .doc = "The square root of var.",
    .dtypes = kAll,
    .kernel = function([](auto& a) { return variance(a, kernels::std_kernel, false); }),
    .grad = {wrt("input", "input result", [](auto& s) { return std_backward(s, s.g(), s.y()); })},
    .samples = {{in(-1, 1)},
                {in(-1, 1), 0},
                {in(-1, 1), -1, false, true},
                {in(-1, 1, {2, 3, 4, 5}), dims({0, 2})},
                {in(-1, 1), 1, none, false, 2}},
    .errors = {{{indices(0, 5, {3})}, "std and var only support floating point"}},
}};

const Op var_mean{{
    .sig = "var_mean(Tensor input, int[1]? dim=None, bool? unbiased=None, bool keepdim=False, *, "
           "Scalar? correction=None) -> "
           "(Tensor var, Tensor mean)",
    .doc = "var and mean in one pass.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel = function([](auto& a) { return variance(a, kernels::var_kernel, true); }),
    .grad = {wrt("input", "input",
                 [](auto& s) { return add(var_backward(s, s.g(0)), mean_backward(s, s.g(1))); })},
    .samples = {{in(-1, 1)}, {in(-1, 1), 0}, {in(-1, 1, {2, 3, 4}), dims({0, 2}), none, true, 0}},
    .errors = {{{indices(0, 5, {3})}, "std and var only support floating point"}},
}};

const Op std_mean{{
    .sig = "std_mean(Tensor input, int[1]? dim=None, bool? unbiased=None, bool keepdim=False, *, "
           "Scalar? correction=None) -> "
           "(Tensor std, Tensor mean)",
    .doc = "std and mean in one pass.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel = function([](auto& a) { return variance(a, kernels::std_kernel, true); }),
    .grad = {wrt(
        "input", "input std",
        [](auto& s) { return add(std_backward(s, s.g(0), s.y(0)), mean_backward(s, s.g(1))); })},
    .samples = {{in(-1, 1)}, {in(-1, 1), 0}, {in(-1, 1, {2, 3, 4}), dims({0, 2}), none, true, 0}},
    .errors = {{{indices(0, 5, {3})}, "std and var only support floating point"}},
}};

const Op linalg_vector_norm{{
    .sig = "linalg_vector_norm(Tensor x, Scalar ord=2, int[1]? dim=None, bool keepdim=False, *, "
           "dtype? dtype=None) -> Tensor",
    .doc = "sum(|x|^ord)^(1/ord) over `dim`; for ord inf the largest, -inf the smallest |x|, 0 how "
           "many are not zero.",
    .scope = Scope::Function,
    .dtypes = kAll,
    .kernel = function([](auto& a) { return norm_of(a); }),
    .grad = {wrt("x", "x result", [](auto& s) { return norm_backward(s); })},
    .samples = {{in(-1, 1)},
                {in(-1, 1), 1, 0},
                {in(-1, 1), __builtin_inf(), -1, true},
                {in(-1, 1), -__builtin_inf(), 0},
                {in(0.1, 1), 3.5, dims({0, 1})},
                {in(-1, 1), 0, 1},
                {in(-1, 1, {0, 3})},
                {in(-1, 1), 2, 0, false, Dtype::Double}},
    .errors = {{{indices(0, 5, {3})},
                "Expected a floating point or complex tensor as input. Got int64"},
               {{in(-1, 1, {0}), __builtin_inf()},
                "norm on an empty tensor because the operation does not have an identity"}},
    .ulp = 8,
}};

const Op norm{{
    .sig = "norm(Tensor input, Scalar? p=2, int[1]? dim=None, bool keepdim=False, *, dtype? "
           "dtype=None) -> Tensor",
    .doc = "linalg.vector_norm under its older name.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      return linalg_vector_norm(a[0], a.given(1) ? a.scalar(1) : Scalar(2), a.value(2), a.flag(3),
                                a.value(4));
    }),
    .samples = {{in(-1, 1)}, {in(-1, 1), 1}, {in(-1, 1), 2, 0, true}},
    .ulp = 8,
}};

const Op norm_fro{{
    .sig = "norm.fro(Tensor input, str p, int[1]? dim=None, bool keepdim=False, *, dtype? "
           "dtype=None) -> Tensor",
    .doc = "The Frobenius norm, 'fro': of matrices the 2-norm of all elements.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      check(a.str(1) == "fro", "Order ", a.str(1), " not supported.");
      return linalg_vector_norm(a[0], 2, a.value(2), a.flag(3), a.value(4));
    }),
    .samples = {{in(-1, 1), "fro"}, {in(-1, 1), "fro", dims({0, 1})}},
    .errors = {{{in(-1, 1), "abc"}, "Order abc not supported."}},
    .ulp = 8,
}};

const Op dist{{
    .sig = "dist(Tensor input, Tensor other, Scalar p=2) -> Tensor",
    .doc = "The p-norm of input - other.",
    .dtypes = kFloats,
    .kernel = compose([](auto& a) { return linalg_vector_norm(sub(a[0], a[1]), a.scalar(2)); }),
    .samples = {{in(-1, 1), in(-1, 1)}, {in(-1, 1), in(-1, 1, {5}), 1}},
    .ulp = 8,
}};

}  // namespace gotorch::ops
