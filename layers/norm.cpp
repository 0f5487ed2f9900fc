// Normalisation layers.
#include "layers/init.h"
#include "layers/layers.h"
#include "tensor/ops.h"

namespace gotorch::layers {
namespace {

// Options of batch and instance normalisation: num_features, eps, momentum, affine, track_running_stats, bias.
void build_batch_norm(LayerState& s) {
  const int64_t n = s.integer(0);
  s.parameter_if(s.flag(3), "weight", n);
  s.parameter_if(s.flag(3) && s.flag(5), "bias", n);
  const bool tracks = s.flag(4);
  s.buffer("running_mean", tracks ? empty(n, s.dtype()) : Tensor());
  s.buffer("running_var", tracks ? empty(n, s.dtype()) : Tensor());
  s.buffer("num_batches_tracked", tracks ? scalar_tensor(0, Dtype::Int64) : Tensor());
}

void reset_batch_norm(LayerState& s) {
  init::constant(s.tensor(2), 0);
  init::constant(s.tensor(3), 1);
  init::constant(s.tensor(4), 0);
  init::constant(s.tensor(0), 1);
  init::constant(s.tensor(1), 0);
}

Tensor batch_norm(const LayerCall& c) {
  const Tensor &mean = c.tensor(2), &var = c.tensor(3), &count = c.tensor(4);
  double momentum = c.given(2) ? c.number(2) : 0;
  if (c.training && count.defined()) {
    const Value add_one[] = {count, 1, 1};
    call_inplace(ops::add, add_one);
    // No momentum: the plain average over all batches.
    if (!c.given(2)) momentum = 1 / count.item<double>();
  }
  const bool batch_statistics = c.training || !mean.defined();
  const bool keep = !c.training || mean.defined();
  return ops::batch_norm(c.input(), keep ? mean : Tensor(), keep ? var : Tensor(), c.tensor(0),
                         c.tensor(1), batch_statistics, momentum, c.number(1));
}

void check_dims(const LayerCall& c, int64_t low, int64_t high) {
  const int64_t d = c.input().dim();
  if (low == high) check<ValueError>(d == low, "expected ", low, "D input (got ", d, "D input)");
  else
    check<ValueError>(d == low || d == high, "expected ", low, "D or ", high, "D input (got ", d,
                      "D input)");
}

template <int64_t low, int64_t high>
Tensor checked_batch_norm(const LayerCall& c) {
  check_dims(c, low, high);
  return batch_norm(c);
}

// An input of one dim less is one sample.
template <int64_t batched>
Tensor instance_norm(const LayerCall& c) {
  check_dims(c, batched - 1, batched);
  const Tensor &x = c.input(), &mean = c.tensor(2);
  const int64_t channels = x.size(-batched + 1);
  check<ValueError>(c.integer(0) == channels || !c.flag(3),
                    "expected input's size at dim=", x.dim() - batched + 1,
                    " to match num_features (", c.integer(0), "), but got: ", channels, ".");
  const bool one = x.dim() < batched;
  const Tensor y =
      ops::instance_norm(one ? ops::unsqueeze(x, 0) : x, mean, c.tensor(3), c.tensor(0),
                         c.tensor(1), c.training || !mean.defined(), c.number(2), c.number(1));
  return one ? ops::squeeze(y, 0) : y;
}

void reset_scale(LayerState& s) {
  init::constant(s.tensor(0), 1);
  init::constant(s.tensor(1), 0);
}

constexpr const char* kBatchNormRepr =
    "{num_features}, eps={eps}, momentum={momentum}, affine={affine}, bias={bias}, "
    "track_running_stats={track_running_stats}";

}  // namespace

const Layer batch_norm1d{{
    .sig = "BatchNorm1d(int num_features, float eps=1e-05, float? momentum=0.1, bool affine=True, "
           "bool track_running_stats=True, *, bool bias=True)",
    .doc = "Normalises each channel of [n, c] or [n, c, l] over batch and length.",
    .build = build_batch_norm,
    .reset = reset_batch_norm,
    .forward = checked_batch_norm<2, 3>,
    .repr = kBatchNormRepr,
}};

const Layer batch_norm2d{{
    .sig = "BatchNorm2d(int num_features, float eps=1e-05, float? momentum=0.1, bool affine=True, "
           "bool track_running_stats=True, *, bool bias=True)",
    .doc = "Normalises each channel of [n, c, h, w] over batch and space.",
    .build = build_batch_norm,
    .reset = reset_batch_norm,
    .forward = checked_batch_norm<4, 4>,
    .repr = kBatchNormRepr,
}};

const Layer batch_norm3d{{
    .sig = "BatchNorm3d(int num_features, float eps=1e-05, float? momentum=0.1, bool affine=True, "
           "bool track_running_stats=True, *, bool bias=True)",
    .doc = "Normalises each channel of [n, c, d, h, w] over batch and space.",
    .build = build_batch_norm,
    .reset = reset_batch_norm,
    .forward = checked_batch_norm<5, 5>,
    .repr = kBatchNormRepr,
}};

const Layer instance_norm1d{{
    .sig = "InstanceNorm1d(int num_features, float eps=1e-05, float momentum=0.1, bool "
           "affine=False, bool track_running_stats=False, *, bool bias=True)",
    .doc = "Normalises each channel of each sample of [n, c, l] over length.",
    .build = build_batch_norm,
    .reset = reset_batch_norm,
    .forward = instance_norm<3>,
    .repr = kBatchNormRepr,
}};

const Layer instance_norm2d{{
    .sig = "InstanceNorm2d(int num_features, float eps=1e-05, float momentum=0.1, bool "
           "affine=False, bool track_running_stats=False, *, bool bias=True)",
    .doc = "Normalises each channel of each sample of [n, c, h, w] over space.",
    .build = build_batch_norm,
    .reset = reset_batch_norm,
    .forward = instance_norm<4>,
    .repr = kBatchNormRepr,
}};

const Layer instance_norm3d{{
    .sig = "InstanceNorm3d(int num_features, float eps=1e-05, float momentum=0.1, bool "
           "affine=False, bool track_running_stats=False, *, bool bias=True)",
    .doc = "Normalises each channel of each sample of [n, c, d, h, w] over space.",
    .build = build_batch_norm,
    .reset = reset_batch_norm,
    .forward = instance_norm<5>,
    .repr = kBatchNormRepr,
}};

const Layer layer_norm{{
    .sig = "LayerNorm(int[1] normalized_shape, float eps=1e-05, bool elementwise_affine=True, bool "
           "bias=True)",
    .doc = "Normalises over the last dimensions.",
    .build =
        [](LayerState& s) {
          s.parameter_if(s.flag(2), "weight", s.ints(0));
          s.parameter_if(s.flag(2) && s.flag(3), "bias", s.ints(0));
        },
    .reset = reset_scale,
    .forward =
        [](const LayerCall& c) {
          return ops::layer_norm(c.input(), c.ints(0), c.tensor(0), c.tensor(1), c.number(1));
        },
    .repr = "{normalized_shape}, eps={eps}, elementwise_affine={elementwise_affine}, bias={bias}",
}};

const Layer group_norm{{
    .sig = "GroupNorm(int num_groups, int num_channels, float eps=1e-05, bool affine=True, *, bool "
           "bias=True)",
    .doc = "Normalises each group of channels of each sample.",
    .build =
        [](LayerState& s) {
          check<ValueError>(s.integer(0) > 0 && s.integer(1) % s.integer(0) == 0,
                            "num_channels must be divisible by num_groups");
          s.parameter_if(s.flag(3), "weight", s.integer(1));
          s.parameter_if(s.flag(3) && s.flag(4), "bias", s.integer(1));
        },
    .reset = reset_scale,
    .forward =
        [](const LayerCall& c) {
          return ops::group_norm(c.input(), c.integer(0), c.tensor(0), c.tensor(1), c.number(2));
        },
    .repr = "{num_groups}, {num_channels}, eps={eps}, affine={affine}, bias={bias}",
}};

const Layer rms_norm{{
    .sig = "RMSNorm(int[1] normalized_shape, float? eps=None, bool elementwise_affine=True)",
    .doc = "x / sqrt(mean(x^2) + eps) * weight over the last dimensions.",
    .build = [](LayerState& s) { s.parameter_if(s.flag(2), "weight", s.ints(0)); },
    .reset = [](LayerState& s) { init::constant(s.tensor(0), 1); },
    .forward =
        [](const LayerCall& c) {
          return ops::rms_norm(c.input(), c.ints(0), c.tensor(0), c.value(1));
        },
    .repr = "{normalized_shape}, eps={eps}, elementwise_affine={elementwise_affine}",
}};

const Layer local_response_norm{{
    .sig = "LocalResponseNorm(int size, float alpha=0.0001, float beta=0.75, float k=1.0)",
    .doc = "x / (k + alpha * m)^beta, where m is the mean of x^2 over `size` neighbouring channels "
           "of [n, c, ...].",
    .forward =
        [](const LayerCall& c) {
          return ops::local_response_norm(c.input(), c.integer(0), c.number(1), c.number(2),
                                          c.number(3));
        },
    .repr = "{size}, alpha={alpha}, beta={beta}, k={k}",
}};

}  // namespace gotorch::layers
