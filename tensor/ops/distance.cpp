// Distances and similarities of pairs of vectors, and bilinear forms.
#include "tensor/ops.h"

namespace gotorch::ops {

const Op cosine_similarity{{
    .sig = "cosine_similarity(Tensor x1, Tensor x2, int dim=1, float eps=1e-08) -> Tensor",
    .doc = "The cosine of the angle between x1 and x2 along dim; norms below eps count as eps.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) -> Tensor {
      // Each norm is limited by itself, so the result never leaves [-1, 1] by more than rounding.
      const auto unit = [&](const Tensor& x) {
        return x / clamp_min(linalg_vector_norm(x, 2, a.integer(2), true), a.number(3));
      };
      const DimVector shape = broadcast_shapes(a[0].shape(), a[1].shape());
      return sum(unit(expand(a[0], shape)) * unit(expand(a[1], shape)), a.integer(2));
    }),
    .samples = {{in(-1, 1), in(-1, 1)}, {in(-1, 1, {3, 5}), in(-1, 1, {1, 5}), 0}},
    .ulp = 16,
}};

const Op pairwise_distance{{
    .sig = "pairwise_distance(Tensor x1, Tensor x2, float p=2.0, float eps=1e-06, bool "
           "keepdim=False) -> Tensor",
    .doc = "The p-norm of x1 - x2 + eps along the last dimension.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) {
      return linalg_vector_norm(a[0] - a[1] + a.number(3), a.number(2), -1, a.flag(4));
    }),
    .samples = {{in(-1, 1), in(-1, 1)}, {in(-1, 1), in(-1, 1, {5}), 1.0, 1e-3, true}},
    .ulp = 16,
}};

const Op bilinear{{
    .sig = "bilinear(Tensor input1, Tensor input2, Tensor weight, Tensor? bias=None) -> Tensor",
    .doc = "y[..., k] = input1[..., :] weight[k] input2[..., :] + bias[k] for weight of shape "
           "[out, in1, in2].",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) -> Tensor {
      const Tensor &x1 = a[0], &x2 = a[1], &w = a[2];
      check(w.dim() == 3, "bilinear(): weight must be 3-D, got shape ", w.shape());
      check(x1.dim() == x2.dim() && x1.dim() > 0 &&
                same(x1.shape().first(x1.shape().size() - 1),
                     x2.shape().first(x2.shape().size() - 1)),
            "bilinear(): inputs must have the same batch dimensions, got shapes ", x1.shape(),
            " and ", x2.shape());
      check(x1.size(-1) == w.size(1) && x2.size(-1) == w.size(2), "bilinear(): inputs of sizes ",
            x1.size(-1), " and ", x2.size(-1), " do not fit weight of shape ", w.shape());
      DimVector batch(x1.shape().first(x1.shape().size() - 1));
      // [*, in1] x [in1, out * in2], then the sum over in2.
      batch.push_back(w.size(0));
      batch.push_back(w.size(2));
      const Tensor half =
          reshape(matmul(x1, reshape(transpose(w, 0, 1), DimVector{w.size(1), -1})), batch);
      const Tensor y = squeeze(matmul(half, unsqueeze(x2, -1)), -1);
      return a.given(3) ? y + a[3] : y;
    }),
    .samples = {{in(-1, 1, {3, 4}), in(-1, 1, {3, 2}), in(-1, 1, {5, 4, 2}), in(-1, 1, {5})},
                {in(-1, 1, {2, 3, 4}), in(-1, 1, {2, 3, 2}), in(-1, 1, {5, 4, 2})}},
    .errors = {{{in(-1, 1, {3, 4}), in(-1, 1, {2, 2}), in(-1, 1, {5, 4, 2})},
                "must have the same batch dimensions"}},
    .ulp = 32,
}};

}  // namespace gotorch::ops
