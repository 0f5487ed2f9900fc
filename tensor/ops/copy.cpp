// Copies between tensors, and conversion.
#include "tensor/copy.h"

#include "tensor/ops.h"

namespace gotorch::ops {
namespace {

Tensor converted(const Tensor& x, Dtype dtype) {
  static const PointwiseKernel cast{.arity = 1, .casts = true};
  if (x.numel() < kDeferFrom || x.dtype() == dtype) return copy_of(x, dtype);
  const Operand operands[] = {x};
  return defer(cast, operands, dtype, dtype, x.shape());
}

}  // namespace

const Op copy{{
    .sig = "copy(Tensor input, Tensor other, bool non_blocking=False) -> Tensor",
    .doc = "other, broadcast to input's shape and converted to its dtype.",
    .scope = Scope::Method,
    .dtypes = kAll,
    .kernel = overwrite([](auto& a, auto& y) { copy_elements(y, a[1]); }),
    .grad = {wrt("other", "", [](auto& s) { return s.g(); })},
    .samples = {{in(-1, 1), in(-1, 1)}, {in(-1, 1, {3, 4}), in(-1, 1, {4})}},
    .errors = {{{in(-1, 1, {3, 4}), in(-1, 1, {3})}, "shapes [3, 4] and [3]"}},
}};

const Op clone{{
    .sig = "clone(Tensor input) -> Tensor",
    .doc = "A contiguous copy.",
    .dtypes = kAll,
    .kernel = function([](auto& a) { return copy_of(a[0], a[0].dtype()); }),
    .grad = {wrt("input", "", [](auto& s) { return s.g(); })},
    .samples = {{in(-1, 1)}, {in(-1, 1, {})}},
}};

const Op contiguous{{
    .sig = "contiguous(Tensor input) -> Tensor",
    .doc = "input itself if its elements lie together in row-major order, else a copy for which "
           "they do.",
    .scope = Scope::Method,
    .dtypes = kAll,
    .kernel = compose([](auto& a) { return a[0].is_contiguous() ? a[0] : clone(a[0]); }),
    .samples = {{in(-1, 1)}},
}};

const Op _to_dtype{{
    .sig = "_to_dtype(Tensor input, dtype dtype) -> Tensor",
    .doc = "input converted: floats to integers truncate, anything but zero is True. Never input "
           "itself.",
    .scope = Scope::Internal,
    .dtypes = kAll,
    .kernel = function([](auto& a) { return converted(a[0], a.value(1).dtype()); }),
    .grad = {wrt("input", "", [](auto& s) { return s.g(); })},
    .samples = {{in(-4, 4), Dtype::Double},
                {in(-4, 4), Dtype::Float},
                {in(-4, 4), Dtype::Int32},
                {in(-4, 4), Dtype::BFloat16}},
}};

const Op type_as{{
    .sig = "type_as(Tensor input, Tensor other) -> Tensor",
    .doc = "input converted to other's dtype.",
    .scope = Scope::Method,
    .dtypes = kAll,
    .kernel = compose([](auto& a) {
      return a[0].dtype() == a[1].dtype() ? a[0] : _to_dtype(a[0], a[1].dtype());
    }),
    .samples = {{in(-4, 4), indices(0, 9, {2})}},
}};

}  // namespace gotorch::ops
