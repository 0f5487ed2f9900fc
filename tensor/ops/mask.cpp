// Selecting by masks.
#include "tensor/kernels/mask.h"

#include "tensor/copy.h"
#include "tensor/ops.h"
#include "tensor/view.h"

namespace gotorch::ops {
namespace {

const uint8_t* bytes_of(const Tensor& mask) { return static_cast<const uint8_t*>(mask.raw()); }

void check_mask(const Tensor& mask) {
  check(mask.dtype() == Dtype::Bool, "expected BoolTensor for mask, got ", mask.dtype());
}

Tensor places(const Tensor& x) {
  const Tensor mask = packed(x, Dtype::Bool);
  const auto offsets = kernels::mask_offsets(bytes_of(mask), mask.numel());
  const Tensor y = gotorch::empty(DimVector{offsets.total(), x.dim()}, Dtype::Int64);
  if (y.numel() > 0)
    kernels::nonzero(bytes_of(mask), x.shape().data(), static_cast<int>(x.dim()), offsets,
                     y.data<int64_t>());
  return y;
}

}  // namespace

const Op masked_select{{
    .sig = "masked_select(Tensor input, Tensor mask) -> Tensor",
    .doc = "The elements of input where mask is true, in row-major order; the two are broadcast to "
           "each other.",
    .dtypes = kAll,
    .kernel = function([](auto& a) {
      check_mask(a[1]);
      const DimVector shape = broadcast_shapes(a[0].shape(), a[1].shape());
      const Tensor x = packed(expanded(a[0], shape)), mask = packed(expanded(a[1], shape));
      const auto offsets = kernels::mask_offsets(bytes_of(mask), mask.numel());
      const Tensor y = gotorch::empty({offsets.total()}, x.dtype());
      kernels::masked_select(x.raw(), bytes_of(mask), mask.numel(), offsets, y.raw(),
                             x.item_size());
      return y;
    }),
    .grad = {wrt("input", "mask",
                 [](auto& s) {
                   const DimVector shape = broadcast_shapes(s.shape(0), s.shape(1));
                   return masked_scatter.inplace(zeros(shape, s.g().dtype()), s[1], s.g());
                 })},
    .samples = {{in(-1, 1), bools({3, 5})},
                {in(-1, 1), bools({5})},
                {in(-1, 1, {3, 1}), bools({4})}},
    .errors = {{{in(-1, 1), in(-1, 1)}, "expected BoolTensor for mask"},
               {{in(-1, 1), bools({4})}, "shapes"}},
}};

const Op masked_scatter{{
    .sig = "masked_scatter(Tensor input, Tensor mask, Tensor source) -> Tensor",
    .doc = "input with source's elements, in order, where mask is true.",
    .dtypes = kAll,
    .kernel = modify([](auto& a, auto& y) {
      check_mask(a[1]);
      check(a[2].dtype() == y.dtype(), "expected self and source to have same dtypes but got ",
            y.dtype(), " and ", a[2].dtype());
      const Tensor mask = packed(expanded(a[1], y.shape())), source = packed(a[2]);
      const auto offsets = kernels::mask_offsets(bytes_of(mask), mask.numel());
      check(offsets.total() <= source.numel(),
            "Number of elements of source < number of ones in mask: ", source.numel(), " < ",
            offsets.total());
      const Tensor whole = packed(y);
      kernels::masked_scatter(whole.raw(), bytes_of(mask), mask.numel(), offsets, source.raw(),
                              y.item_size());
      if (!whole.is(y)) copy_elements(y, whole);
    }),
    .grad = {wrt("input", "mask", [](auto& s) { return masked_fill(s.g(), s[1], 0); }),
             wrt("source", "mask",
                 [](auto& s) {
                   const Tensor used = masked_select(s.g(), s[1]);
                   return reshape(
                       constant_pad_nd(used, DimVector{0, numel_of(s.shape(2)) - used.numel()}),
                       s.shape(2));
                 })},
    .validate =
        [](const Args& a) {
          const DimVector shape = broadcast_shapes(a[0].shape(), a[1].shape());
          check(same(shape, a[0].shape()), "mask of shape ", a[1].shape(),
                " does not broadcast to shape ", a[0].shape());
        },
    .samples = {{in(-1, 1), bools({3, 5}), in(-1, 1, {4, 4})},
                {in(-1, 1), bools({5}), in(-1, 1, {15})}},
    .errors = {{{in(-1, 1), in(-1, 1), in(-1, 1)}, "expected BoolTensor for mask"}},
}};

const Op nonzero{{
    .sig = "nonzero(Tensor input) -> Tensor",
    .doc = "The indices of the elements that are not zero, one row each, in row-major order.",
    .dtypes = kAll,
    .kernel = function([](auto& a) { return places(a[0]); }),
    .aliases = "argwhere",
    .samples = {{bools({3, 5})}, {indices(0, 2, {7})}, {in(-1, 1, {})}, {indices(0, 2, {2, 3, 4})}},
}};

const Op nonzero_numpy{{
    .sig = "nonzero_numpy(Tensor input) -> Tensor[]",
    .doc = "nonzero as one tensor for each dimension.",
    .scope = Scope::Internal,
    .dtypes = kAll,
    .kernel = function([](auto& a) {
      const Tensor rows = places(a[0].dim() > 0 ? a[0] : unsqueezed(a[0], 0));
      Tensors out;
      for (int64_t d = 0; d < rows.size(1); d++) out.push_back(selected(rows, 1, d));
      return out;
    }),
    .samples = {{bools({3, 5})}},
}};

}  // namespace gotorch::ops
