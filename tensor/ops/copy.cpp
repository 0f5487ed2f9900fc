// Copies between tensors, and conversion.
#include "tensor/copy.h"

#include "tensor/ops.h"

namespace gotorch::ops {

const Op copy{{
    .sig = "copy(Tensor input, Tensor src, bool non_blocking=False) -> Tensor",
    .doc = "src, broadcast to input's shape and converted to its dtype.",
    .scope = Scope::Method,
    .dtypes = kAll,
    .kernel = function([](auto& a) {
      Tensor out = gotorch::empty(a[0].shape(), a[0].dtype());
      copy_elements(out, a[1]);
      return out;
    }),
    .grad = {wrt("src", "", [](auto& s) { return s.g(); })},
    .inplace = true,
    .samples = {{in(-1, 1), in(-1, 1)}, {in(-1, 1, {3, 4}), in(-1, 1, {4})}},
}};

}  // namespace gotorch::ops
