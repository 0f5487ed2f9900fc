// The largest and smallest of many elements, and where they are.
#include "tensor/copy.h"
#include "tensor/ops.h"
#include "tensor/reduce.h"

namespace gotorch::ops {
namespace {

Tensor extreme(const Args& a, const kernels::ReduceKernel& (*kernel)(Dtype)) {
  return as_dtype(reduced(a[0], a.value(1), a.flag(2), kernel(a[0].dtype())), a[0].dtype());
}

// Values and indices. The values equal elements of the input, so converting a 16-bit float back is exact.
Tensors extreme_and_place(const Tensor& x, const Value& dim, bool keepdim,
                          const kernels::ReduceKernel& (*kernel)(Dtype)) {
  Tensor places;
  const Tensor y = reduced(x, dim, keepdim, kernel(x.dtype()), 0, &places);
  return Tensors{as_dtype(y, x.dtype()), places};
}

Tensor place(const Args& a, const kernels::ReduceKernel& (*kernel)(Dtype)) {
  check(a[0].dtype() != Dtype::Bool, "does not support bool input");
  check<IndexError>(a.given(1) || a[0].numel() > 0,
                    "Expected reduction dim to be specified for input.numel() == 0.");
  return extreme_and_place(a[0], a.value(1), a.flag(2), kernel)[1];
}

// g shared evenly by all elements that are equal to the extreme.
Tensor shared(const GradArgs& s) {
  const Value& dim = s.value(1);
  const bool keepdim = s.flag(2);
  const Tensor tied = eq(s[0], spread(s.y(), s.shape(0), dim, keepdim));
  const Tensor each = true_divide(spread(s.g(), s.shape(0), dim, keepdim), sum(tied, dim, true));
  return mul(each, tied);
}

// g at the places that `indices` names along `dim`, zero elsewhere.
Tensor at_places(const GradArgs& s) {
  const int64_t n = static_cast<int64_t>(s.shape(0).size()), dim = wrap_dim(s.integer(1), n);
  if (n == 0) return s.g();
  const Tensor index = spread(s.y(1), s.shape(0), dim, s.flag(2));
  return scatter.inplace(zeros(s.shape(0), s.g().dtype()), dim, index,
                         spread(s.g(), s.shape(0), dim, s.flag(2)));
}

void check_not_empty(const Tensor& x) {
  check(x.numel() > 0,
        "Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim "
        "with the "
        "'dim' argument.");
}

}  // namespace

const Op amax{{
    .sig = "amax(Tensor input, int[1]? dim=None, bool keepdim=False) -> Tensor",
    .doc = "The largest element over `dim`; NaN is larger than anything. Equal ones share the "
           "gradient.",
    .dtypes = kAll,
    .kernel = function([](auto& a) { return extreme(a, kernels::max_kernel); }),
    .grad = {wrt("input", "input result", [](auto& s) { return shared(s); })},
    .samples = {{in(-1, 1)},
                {in(-1, 1), 0},
                {in(-1, 1), -1, true},
                {in(-1, 1, {2, 3, 4, 5}), dims({0, 2})},
                {indices(-9, 9, {3, 4}), 1},
                {bools({3, 4}), 0}},
    .errors = {{{in(-1, 1, {0, 3}), 0}, "Expected reduction dim 0 to have non-zero size."},
               {{in(-1, 1, {0, 3})},
                "Expected reduction dim to be specified for input.numel() == 0"}},
}};

const Op amin{{
    .sig = "amin(Tensor input, int[1]? dim=None, bool keepdim=False) -> Tensor",
    .doc = "The smallest element over `dim`; NaN is smaller than anything. Equal ones share the "
           "gradient.",
    .dtypes = kAll,
    .kernel = function([](auto& a) { return extreme(a, kernels::min_kernel); }),
    .grad = {wrt("input", "input result", [](auto& s) { return shared(s); })},
    .samples = {{in(-1, 1)},
                {in(-1, 1), 0},
                {in(-1, 1), -1, true},
                {in(-1, 1, {2, 3, 4, 5}), dims({0, 2})},
                {indices(-9, 9, {3, 4}), 1},
                {bools({3, 4}), 0}},
    .errors = {{{in(-1, 1, {0, 3}), 0}, "Expected reduction dim 0 to have non-zero size."},
               {{in(-1, 1, {0, 3})},
                "Expected reduction dim to be specified for input.numel() == 0"}},
}};

const Op max{{
    .sig = "max(Tensor input) -> Tensor",
    .doc = "The largest element; NaN is larger than anything.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      check_not_empty(a[0]);
      return amax(a[0]);
    }),
    .samples = {{in(-1, 1)}, {indices(-9, 9, {3, 4})}},
    .errors = {{{in(-1, 1, {0, 3})},
                "Expected reduction dim to be specified for input.numel() == 0"}},
}};

const Op max_dim{{
    .sig = "max.dim(Tensor input, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)",
    .doc = "The largest element along `dim` and the index of its first occurrence, which gets the "
           "gradient.",
    .dtypes = kAll,
    .kernel = function([](auto& a) {
      return extreme_and_place(a[0], a.value(1), a.flag(2), kernels::argmax_kernel);
    }),
    .grad = {wrt("input", "indices", [](auto& s) { return at_places(s); })},
    .samples = {{in(-1, 1), 0},
                {in(-1, 1), -1, true},
                {in(-1, 1, {2, 3, 4}), 1},
                {indices(-9, 9, {3, 4}), 1},
                {bools({3, 4}), 0}},
    .errors = {{{in(-1, 1), 2}, "Dimension out of range"},
               {{in(-1, 1, {0, 3}), 0}, "Expected reduction dim 0 to have non-zero size."}},
}};

const Op max_other{{
    .sig = "max.other(Tensor input, Tensor other) -> Tensor",
    .doc = "maximum(input, other).",
    .dtypes = kAll,
    .kernel = compose([](auto& a) { return maximum(a[0], a[1]); }),
    .samples = {{in(-1, 1), in(-1, 1)}},
}};

const Op min{{
    .sig = "min(Tensor input) -> Tensor",
    .doc = "The smallest element; NaN is smaller than anything.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      check_not_empty(a[0]);
      return amin(a[0]);
    }),
    .samples = {{in(-1, 1)}, {indices(-9, 9, {3, 4})}},
    .errors = {{{in(-1, 1, {0, 3})},
                "Expected reduction dim to be specified for input.numel() == 0"}},
}};

const Op min_dim{{
    .sig = "min.dim(Tensor input, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)",
    .doc = "The smallest element along `dim` and the index of its first occurrence, which gets the "
           "gradient.",
    .dtypes = kAll,
    .kernel = function([](auto& a) {
      return extreme_and_place(a[0], a.value(1), a.flag(2), kernels::argmin_kernel);
    }),
    .grad = {wrt("input", "indices", [](auto& s) { return at_places(s); })},
    .samples = {{in(-1, 1), 0},
                {in(-1, 1), -1, true},
                {in(-1, 1, {2, 3, 4}), 1},
                {indices(-9, 9, {3, 4}), 1},
                {bools({3, 4}), 0}},
    .errors = {{{in(-1, 1), 2}, "Dimension out of range"},
               {{in(-1, 1, {0, 3}), 0}, "Expected reduction dim 0 to have non-zero size."}},
}};

const Op min_other{{
    .sig = "min.other(Tensor input, Tensor other) -> Tensor",
    .doc = "minimum(input, other).",
    .dtypes = kAll,
    .kernel = compose([](auto& a) { return minimum(a[0], a[1]); }),
    .samples = {{in(-1, 1), in(-1, 1)}},
}};

const Op argmax{{
    .sig = "argmax(Tensor input, int? dim=None, bool keepdim=False) -> Tensor",
    .doc = "The index of the first largest element along `dim`, or in the flattened input.",
    .dtypes = kAll,
    .kernel = function([](auto& a) { return place(a, kernels::argmax_kernel); }),
    .samples = {{in(-1, 1)},
                {in(-1, 1), 0},
                {in(-1, 1), -1, true},
                {in(-1, 1), none, true},
                {indices(-9, 9, {3, 4}), 1}},
    .errors = {{{bools({3})}, "does not support bool input"},
               {{in(-1, 1, {0})},
                "Expected reduction dim to be specified for input.numel() == 0."}},
}};

const Op argmin{{
    .sig = "argmin(Tensor input, int? dim=None, bool keepdim=False) -> Tensor",
    .doc = "The index of the first smallest element along `dim`, or in the flattened input.",
    .dtypes = kAll,
    .kernel = function([](auto& a) { return place(a, kernels::argmin_kernel); }),
    .samples = {{in(-1, 1)},
                {in(-1, 1), 0},
                {in(-1, 1), -1, true},
                {in(-1, 1), none, true},
                {indices(-9, 9, {3, 4}), 1}},
    .errors = {{{bools({3})}, "does not support bool input"},
               {{in(-1, 1, {0})},
                "Expected reduction dim to be specified for input.numel() == 0."}},
}};

const Op aminmax{{
    .sig =
        "aminmax(Tensor input, *, int? dim=None, bool keepdim=False) -> (Tensor min, Tensor max)",
    .doc = "The smallest and the largest element along `dim`, or of all.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      check(a.given(1) || a[0].numel() > 0,
            "cannot compute aminmax over an empty dimension as the operation has no identity.");
      return Tensors{amin(a[0], a.value(1), a.flag(2)), amax(a[0], a.value(1), a.flag(2))};
    }),
    .samples = {{in(-1, 1)}, {in(-1, 1), 0}, {in(-1, 1), -1, true}},
    .errors = {{{in(-1, 1, {0, 3})}, "cannot compute aminmax over an empty dimension"}},
}};

}  // namespace gotorch::ops
