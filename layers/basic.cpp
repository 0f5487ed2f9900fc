// Linear, embedding, dropout and normalisation layers.
#include "layers/init.h"
#include "layers/layers.h"
#include "tensor/ops.h"

namespace gotorch::layers {
namespace {

void build_batch_norm(LayerState& s) {
  const int64_t n = s.integer(0);
  s.parameter_if(s.flag(3), "weight", n);
  s.parameter_if(s.flag(3), "bias", n);
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

Tensor checked_batch_norm(const LayerCall& c, int64_t low, int64_t high) {
  const int64_t d = c.input().dim();
  if (low == high) check<ValueError>(d == low, "expected ", low, "D input (got ", d, "D input)");
  else
    check<ValueError>(d == low || d == high, "expected ", low, "D or ", high, "D input (got ", d,
                      "D input)");
  return batch_norm(c);
}

}  // namespace

const Layer linear{{
    .sig = "Linear(int in_features, int out_features, bool bias=True)",
    .doc = "x W^T + b for x of shape [*, in_features].",
    .build =
        [](LayerState& s) {
          s.parameter("weight", {s.integer(1), s.integer(0)});
          s.parameter_if(s.flag(2), "bias", s.integer(1));
        },
    .reset = [](LayerState& s) { init::linear(s.tensor(0), s.tensor(1)); },
    .forward = [](const LayerCall& c) { return ops::linear(c.input(), c.tensor(0), c.tensor(1)); },
    .repr = "in_features={in_features}, out_features={out_features}, bias={bias}",
}};

const Layer dropout{{
    .sig = "Dropout(float p=0.5, bool inplace=False)",
    .doc =
        "Zeroes elements with probability p while training and scales the others by 1 / (1 - p).",
    .forward = [](const LayerCall& c) { return ops::dropout(c.input(), c.number(0), c.training); },
    .repr = "p={p}, inplace={inplace}",
}};

const Layer dropout2d{{
    .sig = "Dropout2d(float p=0.5, bool inplace=False)",
    .doc = "Zeroes whole channels with probability p while training and scales the others by 1 / "
           "(1 - p).",
    .forward =
        [](const LayerCall& c) { return ops::feature_dropout(c.input(), c.number(0), c.training); },
    .repr = "p={p}, inplace={inplace}",
}};

const Layer batch_norm1d{{
    .sig = "BatchNorm1d(int num_features, float eps=1e-05, float? momentum=0.1, bool affine=True, "
           "bool track_running_stats=True)",
    .doc = "Normalises each channel of [n, c] or [n, c, l] over batch and length.",
    .build = build_batch_norm,
    .reset = reset_batch_norm,
    .forward = [](const LayerCall& c) { return checked_batch_norm(c, 2, 3); },
    .repr = "{num_features}, eps={eps}, momentum={momentum}, affine={affine}, "
            "track_running_stats={track_running_stats}",
}};

const Layer batch_norm2d{{
    .sig = "BatchNorm2d(int num_features, float eps=1e-05, float? momentum=0.1, bool affine=True, "
           "bool track_running_stats=True)",
    .doc = "Normalises each channel of [n, c, h, w] over batch and space.",
    .build = build_batch_norm,
    .reset = reset_batch_norm,
    .forward = [](const LayerCall& c) { return checked_batch_norm(c, 4, 4); },
    .repr = "{num_features}, eps={eps}, momentum={momentum}, affine={affine}, "
            "track_running_stats={track_running_stats}",
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
    .reset =
        [](LayerState& s) {
          init::constant(s.tensor(0), 1);
          init::constant(s.tensor(1), 0);
        },
    .forward =
        [](const LayerCall& c) {
          return ops::layer_norm(c.input(), c.ints(0), c.tensor(0), c.tensor(1), c.number(1));
        },
    .repr = "{normalized_shape}, eps={eps}, elementwise_affine={elementwise_affine}",
}};

const Layer group_norm{{
    .sig = "GroupNorm(int num_groups, int num_channels, float eps=1e-05, bool affine=True)",
    .doc = "Normalises each group of channels of each sample.",
    .build =
        [](LayerState& s) {
          check<ValueError>(s.integer(0) > 0 && s.integer(1) % s.integer(0) == 0,
                            "num_channels must be divisible by num_groups");
          s.parameter_if(s.flag(3), "weight", s.integer(1));
          s.parameter_if(s.flag(3), "bias", s.integer(1));
        },
    .reset =
        [](LayerState& s) {
          init::constant(s.tensor(0), 1);
          init::constant(s.tensor(1), 0);
        },
    .forward =
        [](const LayerCall& c) {
          return ops::group_norm(c.input(), c.integer(0), c.tensor(0), c.tensor(1), c.number(2));
        },
    .repr = "{num_groups}, {num_channels}, eps={eps}, affine={affine}",
}};

const Layer flatten{{
    .sig = "Flatten(int start_dim=1, int end_dim=-1)",
    .doc = "Dimensions start_dim to end_dim as one.",
    .forward =
        [](const LayerCall& c) { return ops::flatten(c.input(), c.integer(0), c.integer(1)); },
    .repr = "start_dim={start_dim}, end_dim={end_dim}",
}};

const Layer identity{{
    .sig = "Identity()",
    .doc = "The input.",
    .forward = [](const LayerCall& c) { return c.input(); },
}};

}  // namespace gotorch::layers
