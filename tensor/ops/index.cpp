// Indexing with tensors. x[...] itself, with views and all, is tensor/indexing.h.
#include "tensor/advanced_index.h"
#include "tensor/copy.h"
#include "tensor/kernels/mask.h"
#include "tensor/ops.h"
#include "tensor/view.h"

namespace gotorch::ops {
namespace {

bool is_mask(const Tensor& t) { return t.dtype() == Dtype::Bool || t.dtype() == Dtype::UInt8; }

// Whether the indices are one mask of all elements, which needs no places.
bool masks_all(const Tensor& x, std::span<const Tensor> indices) {
  return indices.size() == 1 && indices[0].defined() && is_mask(indices[0]) && x.dim() > 0 &&
         x.is_contiguous() && same(indices[0].shape(), x.shape());
}

Tensor selected_by(const Tensor& x, const Tensor& mask) {
  const Tensor bytes = packed(mask, Dtype::Bool);
  const auto* at = static_cast<const uint8_t*>(bytes.raw());
  const auto offsets = kernels::mask_offsets(at, bytes.numel());
  const Tensor y = gotorch::empty({offsets.total()}, x.dtype());
  kernels::masked_select(x.raw(), at, x.numel(), offsets, y.raw(), x.item_size());
  return y;
}

// values, broadcast to the elements that are named.
Tensor values_for(const Tensor& values, Dims shape) {
  Tensor v = values;
  while (v.dim() > static_cast<int64_t>(shape.size()) && v.shape()[0] == 1) v = selected(v, 0, 0);
  bool fits = v.dim() <= static_cast<int64_t>(shape.size());
  for (int64_t d = 1; fits && d <= v.dim(); d++) {
    const int64_t have = v.shape()[v.dim() - d];
    fits = have == 1 || have == shape[shape.size() - d];
  }
  check(fits, "shape mismatch: value tensor of shape ", values.shape(),
        " cannot be broadcast to indexing result of shape ", shape);
  return packed(expanded(v, shape));
}

void put_values(const Args& a, const Tensor& y) {
  const Tensor& values = a[2];
  check(values.dtype() == y.dtype(),
        "Index put requires the source and destination dtypes match, got ", y.dtype(),
        " for the destination and ", values.dtype(), " for the source.");
  const AdvancedIndex plan(y, a.tensors(1));
  scatter_elements(plan, y, values_for(values, plan.shape), a.flag(3));
}

// The sum of g at the places it was taken from. 16-bit floats are summed in float.
Tensor put_back(const GradArgs& s) {
  const Dtype dtype = compute_dtype(s.g().dtype());
  const Tensor g = s.g().dtype() == dtype ? s.g() : _to_dtype(s.g(), dtype);
  bool repeats = false;
  for (const Tensor& t : s.tensors(1)) repeats |= t.defined() && !is_mask(t);
  return index_put.inplace(zeros(s.shape(0), dtype), s.tensors(1), g, repeats);
}

}  // namespace

const Op index{{
    .sig = "index(Tensor input, Tensor[] indices) -> Tensor",
    .doc = "input[indices] for integer and bool tensors, which belong to the leading dimensions.",
    .scope = Scope::Internal,
    .dtypes = kAll,
    .kernel = function([](auto& a) {
      if (masks_all(a[0], a.tensors(1))) return selected_by(a[0], a.tensors(1)[0]);
      const AdvancedIndex plan(a[0], a.tensors(1));
      const Tensor y = gotorch::empty(plan.shape, a[0].dtype());
      gather_elements(plan, a[0], y);
      return y;
    }),
    .grad = {wrt("input", "indices", [](auto& s) { return put_back(s); })},
    .samples = {{in(-1, 1), tensors({indices(-3, 3, {4})})},
                {in(-1, 1, {3, 4, 5}), tensors({indices(0, 3, {2, 1}), indices(0, 4, {3})})},
                {in(-1, 1), tensors({bools({3, 5})})},
                {in(-1, 1), tensors({bools({3}), indices(0, 5, {1})})}},
    .errors = {{{in(-1, 1), tensors({indices(3, 4, {1})})},
                "index 3 is out of bounds for dimension 0 with size 3"},
               {{in(-1, 1), tensors({indices(0, 1, {2}), indices(0, 1, {3})})},
                "could not be broadcast together with shapes [2], [3]"},
               {{in(-1, 1), tensors({bools({4})})},
                "The shape of the mask [4] at index 0 does not match"}},
}};

const Op index_put{{
    .sig =
        "index_put(Tensor input, Tensor[] indices, Tensor values, bool accumulate=False) -> Tensor",
    .doc = "input with input[indices] replaced by values, or with values added. Of equal places "
           "the last value wins.",
    .dtypes = kAll,
    .kernel = modify([](auto& a, auto& y) { put_values(a, y); }),
    .grad = {wrt("input", "indices",
                 [](auto& s) {
                   return s.flag(3) ? s.g()
                                    : index_put(s.g(), s.tensors(1), zeros(Dims(), s.g().dtype()));
                 }),
             wrt("values", "indices", [](auto& s) { return index(s.g(), s.tensors(1)); })},
    .samples = {{in(-1, 1), tensors({bools({3})}), in(-1, 1, {5})},
                {in(-1, 1), tensors({indices(-3, 3, {4})}), in(-1, 1, {4, 1}), true},
                {in(-1, 1, {3, 4, 5}), tensors({indices(0, 3, {2, 1}), indices(0, 4, {3})}),
                 in(-1, 1, {5}), true}},
    .errors = {{{in(-1, 1), tensors({indices(3, 4, {1})}), in(-1, 1, {})},
                "index 3 is out of bounds for dimension 0 with size 3"},
               {{in(-1, 1), tensors({indices(0, 1, {2})}), in(-1, 1, {3})},
                "cannot be broadcast to indexing result of shape [2, 5]"}},
}};

}  // namespace gotorch::ops
