// Elements and slices repeated where they stand.
#include <algorithm>

#include "tensor/copy.h"
#include "tensor/ops.h"
#include "tensor/view.h"

namespace gotorch::ops {
namespace {

constexpr DtypeSet kInt32And64 = dtype_set(Dtype::Int32, Dtype::Int64);

// input with slice i of `dim` taken index[i] times over, by the indices of what stands where.
Tensor repeated(const Args& a, const Tensor& repeats) {
  const Tensor x = a.given(2) ? a[0] : flatten(a[0]);
  const int64_t dim = a.given(2) ? wrap_dim(a.integer(2), x.dim()) : 0,
                n = x.dim() ? x.size(dim) : 1;
  const bool one = repeats.dim() == 0 || (repeats.dim() == 1 && repeats.size(0) == 1);
  check(one || (repeats.dim() == 1 && repeats.size(0) == n),
        "repeats must have the same size as input along dim, but got repeats of shape ",
        repeats.shape(), " and input.size(", dim, ") = ", n);
  const Tensor each = one ? expand(reshape(repeats, 1), n) : repeats;
  return index_select(x, dim, repeat_interleave(each, a.value(3)));
}

}  // namespace

const Op repeat_interleave{{
    .sig = "repeat_interleave.Tensor(Tensor repeats, *, int? output_size=None) -> Tensor",
    .doc = "repeats[0] times 0, then repeats[1] times 1, and so on.",
    .dtypes = kInt32And64,
    .kernel = function([](auto& a) {
      const Tensor repeats = packed(a[0], Dtype::Int64);
      check(repeats.dim() == 1, "repeat_interleave only accept 1D vector as repeat, got shape ",
            repeats.shape());
      const int64_t* n = repeats.template data<int64_t>();
      int64_t total = 0;
      for (int64_t i = 0; i < repeats.numel(); i++) {
        check(n[i] >= 0, "repeats can not be negative, got ", n[i]);
        check(!__builtin_add_overflow(total, n[i], &total), "repeats sum up to too large a size");
      }
      check(!a.given(1) || a.integer(1) == total, "Invalid output_size, expected ", total,
            " but got ", a.given(1) ? a.integer(1) : 0);
      const Tensor y = gotorch::empty(total, Dtype::Int64);
      int64_t* out = y.template data<int64_t>();
      for (int64_t i = 0; i < repeats.numel(); i++) out = std::fill_n(out, n[i], i);
      return as_dtype(y, a[0].dtype());
    }),
    .samples = {{indices(0, 4, {5})}, {indices(2, 3, {3}), 6}},
    .errors = {{{indices(-2, -1, {3})}, "repeats can not be negative"},
               {{indices(1, 2, {3, 2})}, "only accept 1D vector as repeat"},
               {{indices(1, 2, {3}), 4}, "expected 3 but got 4"}},
}};

const Op repeat_interleave_tensor{{
    .sig = "repeat_interleave.self_Tensor(Tensor input, Tensor repeats, int? dim=None, *, int? "
           "output_size=None) -> Tensor",
    .doc = "Slice i of `dim` repeats[i] times; without `dim`, the elements of the flattened input.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      check(a[1].dtype() == Dtype::Int64 || a[1].dtype() == Dtype::Int32,
            "repeats has to be Long or Int tensor, got ", a[1].dtype());
      return repeated(a, a[1]);
    }),
    .samples = {{in(-4, 4, {3, 4}), indices(0, 3, {4}), 1},
                {in(-4, 4, {3, 2}), indices(2, 3, {1})}},
    .errors = {{{in(-1, 1, {3, 4}), indices(0, 3, {2}), 0},
                "repeats must have the same size as input along dim"}},
}};

const Op repeat_interleave_int{{
    .sig = "repeat_interleave.self_int(Tensor input, int repeats, int? dim=None, *, int? "
           "output_size=None) -> Tensor",
    .doc = "Each slice of `dim` `repeats` times.",
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      check(a.integer(1) >= 0, "Repeats must be non-negative, got ", a.integer(1));
      return repeated(a, scalar_tensor(a.integer(1), Dtype::Int64));
    }),
    .samples = {{in(-4, 4, {3, 4}), 2, -1}, {in(-4, 4, {3, 2}), 3}, {in(-4, 4, {3, 2}), 0, 0}},
    .errors = {{{in(-1, 1, {3}), -1}, "Repeats must be non-negative"}},
}};

}  // namespace gotorch::ops
