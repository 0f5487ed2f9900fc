// Distances and similarities of pairs of vectors, and bilinear forms.
#include <cmath>

#include "tensor/copy.h"
#include "tensor/kernels/distance.h"
#include "tensor/ops.h"

namespace gotorch::ops {
namespace {

constexpr DtypeSet kLong = dtype_set(Dtype::Float, Dtype::Double);

// Of x1 [b, n1, m], given g and the distances y [b, n1, n2] to x2. Where a distance is 0 it has no slope; 0 is taken.
Tensor distance_gradient(const Tensor& g, const Tensor& x1, const Tensor& x2, const Tensor& y,
                         double p) {
  if (p == 0) return zeros_like(x1);
  const Tensor zero = eq(y, 0);
  if (p == 2) {
    const Tensor slope = where(zero, 0, g / where(zero, 1, y));
    return sum(slope, -1, true) * x1 - matmul(slope, x2);
  }
  const Tensor d = unsqueeze(x1, 2) - unsqueeze(x2, 1), each = unsqueeze(g, 3) * sign(d);
  if (p == 1) return sum(each, 2);
  if (std::isinf(p)) return sum(where(eq(abs(d), unsqueeze(y, 3)), each, 0), 2);
  const Tensor flat = logical_or(eq(d, 0), unsqueeze(zero, 3));
  const Tensor ratio = where(flat, 1, abs(d) / unsqueeze(where(zero, 1, y), 3));
  return sum(where(flat, 0, each * pow(ratio, p - 1)), 2);
}

}  // namespace

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

const Op distances{{
    .sig = "_cdist(Tensor x1, Tensor x2, float p) -> Tensor",
    .doc = "The p-norms of all differences of rows of x1 [b, n1, m] and x2 [b, n2, m].",
    .scope = Scope::Internal,
    .dtypes = kLong,
    .kernel = function([](auto& a) {
      const Tensor &x1 = a[0], &x2 = a[1];
      check(x1.dim() == 3 && x2.dim() == 3 && x1.size(0) == x2.size(0) && x1.size(2) == x2.size(2),
            "expected rows of one length in as many batches, got shapes ", x1.shape(), " and ",
            x2.shape());
      check(a.number(2) >= 0, "cdist only supports non-negative p values");
      const Tensor from = packed(x1, x1.dtype()), to = packed(x2, x1.dtype()),
                   y = gotorch::empty({x1.size(0), x1.size(1), x2.size(1)}, x1.dtype());
      const auto run = [&]<class T>() {
        kernels::distances<T>({from.data<T>(), to.data<T>(), x1.size(0), x1.size(1), x2.size(1),
                               x1.size(2), a.number(2)},
                              y.data<T>());
      };
      if (y.dtype() == Dtype::Float) run.template operator()<float>();
      else run.template operator()<double>();
      return y;
    }),
    .grad = {wrt("x1", "x1 x2 result",
                 [](auto& s) {
                   return distance_gradient(s.g(), s[0], s[1], s.y(), s.number(2));
                 }),
             wrt("x2", "x1 x2 result",
                 [](auto& s) {
                   return distance_gradient(transpose(s.g(), 1, 2), s[1], s[0],
                                            transpose(s.y(), 1, 2), s.number(2));
                 })},
    .samples = {{in(-1, 1, {2, 3, 5}), in(-1, 1, {2, 4, 5}), 2.0}},
    .ulp = 32,
}};

const Op cdist{{
    .sig = "cdist(Tensor x1, Tensor x2, float p=2.0, str? "
           "compute_mode='use_mm_for_euclid_dist_if_necessary') -> Tensor",
    .doc = "The p-norms of all differences of rows of x1 [..., n1, m] and x2 [..., n2, m], which "
           "are always taken exactly: compute_mode changes nothing.",
    .scope = Scope::Function,
    .dtypes = kLong,
    .kernel = compose([](auto& a) {
      const Tensor &x1 = a[0], &x2 = a[1];
      check(x1.dim() >= 2 && x2.dim() >= 2, "cdist only supports at least 2D tensors, got: ",
            x1.dim(), "D and ", x2.dim(), "D");
      check(x1.size(-1) == x2.size(-1), "X1 and X2 must have the same number of columns. X1: ",
            x1.size(-1), " X2: ", x2.size(-1));
      check(!a.given(3) || a.str(3) == "use_mm_for_euclid_dist_if_necessary" ||
                a.str(3) == "use_mm_for_euclid_dist" || a.str(3) == "donot_use_mm_for_euclid_dist",
            a.given(3) ? a.str(3) : "", " is not a valid value for compute_mode");
      const auto whole = [](const Tensor& x, Dims batch) {
        DimVector shape(batch);
        shape.append(x.shape().end() - 2, x.shape().end());
        return reshape(expand(x, shape), DimVector{numel_of(batch), x.size(-2), x.size(-1)});
      };
      const auto batch_of = [](const Tensor& x) { return x.shape().first(x.shape().size() - 2); };
      DimVector shape = broadcast_shapes(batch_of(x1), batch_of(x2));
      const Tensor y = distances(whole(x1, shape), whole(x2, shape), a.number(2));
      shape.push_back(x1.size(-2));
      shape.push_back(x2.size(-2));
      return reshape(y, shape);
    }),
    .samples = {{in(-1, 1, {3, 5}), in(-1, 1, {4, 5})},
                {in(-1, 1, {2, 3, 5}), in(-1, 1, {4, 5}), 1.0},
                {in(-1, 1, {3, 5}), in(-1, 1, {4, 5}), 3.0},
                {in(-1, 1, {3, 5}), in(-1, 1, {4, 5}), __builtin_inf()},
                {in(-1, 1, {3, 5}), in(-1, 1, {4, 5}), 0.0}},
    .errors = {{{in(-1, 1, {3, 5}), in(-1, 1, {4, 6})}, "must have the same number of columns"},
               {{in(-1, 1, {5}), in(-1, 1, {4, 5})}, "cdist only supports at least 2D tensors"}},
    .ulp = 32,
}};

const Op pdist{{
    .sig = "pdist(Tensor input, float p=2.0) -> Tensor",
    .doc = "The p-norms of the differences of each row [n, m] from all behind it.",
    .scope = Scope::Nn,
    .dtypes = kLong,
    .kernel = compose([](auto& a) -> Tensor {
      const Tensor& x = a[0];
      check(x.dim() == 2, "pdist only supports 2D tensors, got: ", x.dim(), "D");
      check(a.number(1) >= 0, "pdist only supports non-negative p values");
      const int64_t n = x.size(0);
      const Tensor pairs = triu_indices(n, n, 1), rows = unsqueeze(x, 0);
      const Tensor places = select(pairs, 0, 0) * n + select(pairs, 0, 1);
      return index_select(flatten(distances(rows, rows, a.number(1))), 0, places);
    }),
    .samples = {{in(-1, 1, {4, 5})}, {in(-1, 1, {4, 5}), 1.0}},
    .errors = {{{in(-1, 1, {5})}, "pdist only supports 2D tensors"}},
    .ulp = 32,
}};

}  // namespace gotorch::ops
