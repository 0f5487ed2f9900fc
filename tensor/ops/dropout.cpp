// Dropout: random masks and what multiplies by them.
#include <algorithm>
#include <cmath>

#include "tensor/kernels/random_fill.h"
#include "tensor/ops.h"
#include "tensor/ops/random.h"
#include "tensor/promote.h"

namespace gotorch::ops {
namespace {

// What dropout multiplies by: a number of the tensor's dtype, from a quotient in the compute type.
double dropout_scale(Dtype d, double p) {
  if (d == Dtype::Double) return 1 / (1 - p);
  const float scale = 1.0f / static_cast<float>(1 - p);
  if (d == Dtype::Half) return static_cast<float>(static_cast<Half>(scale));
  return d == Dtype::BFloat16 ? static_cast<float>(static_cast<BFloat16>(scale)) : scale;
}

// The checked probability of (input, p, training).
double drop_probability(const Args& a) {
  const double p = a.number(1);
  check<ValueError>(p >= 0 && p <= 1, "dropout probability has to be between 0 and 1, but got ", p);
  return p;
}

// The result where nothing is dropped or everything; else undefined.
Tensor trivially_dropped(const Args& a, double p) {
  if (p == 0 || !a.flag(2) || a[0].numel() == 0) return a[0];
  return p == 1 ? a[0] * 0 : Tensor();
}

// One decision for each channel: for the first `leading` dims.
Tensor dropout_mask(const Tensor& x, double p, size_t leading) {
  if (leading == x.shape().size()) return keep_mask(x, 1 - p);
  DimVector shape(static_cast<size_t>(x.dim()), 1);
  std::copy_n(x.shape().begin(), leading, shape.begin());
  return keep_mask(gotorch::empty(shape, x.dtype()), 1 - p);
}

// Dropout of whole channels. An input of `unbatched` dims is one sample.
Tensor drop_channels(const Args& a, int64_t unbatched) {
  const Tensor& x = a[0];
  const double p = drop_probability(a);
  check(x.dim() >= 2, "Feature dropout requires at least 2 dimensions in the input");
  if (Tensor y = trivially_dropped(a, p); y.defined()) return y;
  return apply_mask(x, dropout_mask(x, p, x.dim() == unbatched ? 1 : 2),
                    dropout_scale(x.dtype(), p));
}

// Dropout that keeps mean and variance of what selu() gives: dropped elements become -lambda alpha of selu, then all are
// scaled and moved (Klambauer et al. 2017).
Tensor drop_to_saturation(const Args& a, size_t leading) {
  const Tensor& x = a[0];
  const double p = drop_probability(a);
  if (Tensor y = trivially_dropped(a, p); y.defined()) return y;
  constexpr double alpha = 1.7580993408473766;
  const double scale = 1 / std::sqrt((alpha * alpha * p + 1) * (1 - p));
  const Tensor keep = dropout_mask(x, p, std::min(leading, static_cast<size_t>(x.dim())));
  const Tensor moved = as_dtype(keep, x.dtype()) * (alpha * scale) + alpha * scale * (p - 1);
  return apply_mask(x, keep, scale) + moved;
}

}  // namespace

const Op keep_mask{{
    .sig = "_keep_mask(Tensor input, float p) -> Tensor",
    .doc = "A bool tensor of input's shape, True with probability p.",
    .scope = Scope::Internal,
    .dtypes = kAll,
    .kernel = random([](auto& a) {
      const double p = a.number(1);
      check(p >= 0 && p <= 1, "a probability has to be between 0 and 1, but got ", p);
      const Tensor out = empty_in_order_of(a[0], Dtype::Bool);
      fill_bernoulli(out.data<bool>(), out.numel(), p, default_generator());
      return out;
    }),
    .samples = {{in(-1, 1), 0.3}},
    .untested = "noncontiguous: numbers are drawn in the order of memory",
}};

const Op apply_mask{{
    .sig = "_apply_mask(Tensor input, Tensor mask, float scale) -> Tensor",
    .doc = "input * scale where mask, input * 0 elsewhere.",
    .scope = Scope::Internal,
    .kernel = pointwise<kFloats, ResultType::Same, 2>(
        [](auto x, bool keep, auto scale) { return x * (keep ? scale : decltype(scale)(0)); }),
    .grad = {wrt("input", "mask", [](auto& s) { return apply_mask(s.g(), s[1], s.scalar(2)); })},
    .samples = {{in(-1, 1), bools({3, 5}), 2.0}},
}};

const Op dropout{{
    .sig = "dropout(Tensor input, float p=0.5, bool training=True) -> Tensor",
    .doc = "Zeroes each element with probability p and scales the others by 1 / (1 - p). With "
           "training=False, input itself.",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) -> Tensor {
      const double p = drop_probability(a);
      if (Tensor y = trivially_dropped(a, p); y.defined()) return y;
      return apply_mask(a[0], keep_mask(a[0], 1 - p), dropout_scale(a[0].dtype(), p));
    }),
    .inplace = true,
    .samples = {{in(-1, 1)}, {in(-1, 1), 0.2}, {in(-1, 1), 0.5, false}},
}};

const Op dropout1d{{
    .sig = "dropout1d(Tensor input, float p=0.5, bool training=True) -> Tensor",
    .doc = "Zeroes whole channels of [n, c, l] or [c, l] with probability p and scales the others "
           "by 1 / (1 - p).",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) { return drop_channels(a, 2); }),
    .inplace = true,
    .samples = {{in(-1, 1, {2, 3, 4})}, {in(-1, 1, {3, 4}), 0.3}},
}};

const Op dropout2d{{
    .sig = "dropout2d(Tensor input, float p=0.5, bool training=True) -> Tensor",
    .doc = "Zeroes whole channels of [n, c, h, w] with probability p and scales the others by 1 / "
           "(1 - p).",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) { return drop_channels(a, 0); }),
    .inplace = true,
    .samples = {{in(-1, 1, {2, 3, 4})}, {in(-1, 1, {2, 3, 4, 2}), 0.3}},
}};

const Op dropout3d{{
    .sig = "dropout3d(Tensor input, float p=0.5, bool training=True) -> Tensor",
    .doc = "Zeroes whole channels of [n, c, d, h, w] or [c, d, h, w] with probability p and scales "
           "the others by 1 / (1 - p).",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) { return drop_channels(a, 4); }),
    .inplace = true,
    .samples = {{in(-1, 1, {2, 3, 4, 1, 2})}, {in(-1, 1, {2, 3, 4, 2}), 0.3}},
}};

const Op alpha_dropout{{
    .sig = "alpha_dropout(Tensor input, float p=0.5, bool training=False) -> Tensor",
    .doc = "Dropout that keeps mean and variance of what selu gives (Klambauer et al. 2017).",
    .scope = Scope::Nn,
    .kernel =
        compose([](auto& a) { return drop_to_saturation(a, static_cast<size_t>(a[0].dim())); }),
    .inplace = true,
    .samples = {{in(-1, 1)}, {in(-1, 1), 0.3, true}},
}};

const Op feature_alpha_dropout{{
    .sig = "feature_alpha_dropout(Tensor input, float p=0.5, bool training=False) -> Tensor",
    .doc = "alpha_dropout of whole channels of [n, c, ...].",
    .scope = Scope::Nn,
    .kernel = compose([](auto& a) { return drop_to_saturation(a, 2); }),
    .inplace = true,
    .samples = {{in(-1, 1, {2, 3, 4}), 0.3, true}},
}};

}  // namespace gotorch::ops
