// Linear and bilinear maps, embedding, dropout, shapes and similarities.
#include <cmath>

#include "grad/mode.h"
#include "layers/init.h"
#include "layers/layers.h"
#include "tensor/ops.h"
#include "tensor/view.h"

namespace gotorch::layers {
namespace {

void check_probability(LayerState& s) {
  check<ValueError>(s.number(0) >= 0 && s.number(0) <= 1,
                    "dropout probability has to be between 0 and 1, but got ", s.number(0));
}

template <const Op& op>
Tensor dropped(const LayerCall& c) {
  return c.apply(op, c.flag(1), c.number(0), c.training);
}

// Options in the order of Embedding's signature.
enum EmbeddingOption {
  kRows,
  kWidth,
  kPadding,
  kMaxNorm,
  kNormType,
  kByFrequency,
  kSparse,
  kGiven,
  kFreeze
};

// The weight of an embedding, by the positions of its options.
void build_table(LayerState& s, size_t padding, size_t given, size_t sparse, bool freeze) {
  const int64_t rows = s.integer(kRows), width = s.integer(kWidth);
  if (s.given(padding)) {
    const int64_t row = s.integer(padding);
    check<ValueError>(row >= -rows && row < rows, "Padding_idx must be within num_embeddings, got ",
                      row, " with ", rows, " embeddings");
    if (row < 0) s.set(padding, row + rows);
  }
  check<NotImplementedError>(!s.flag(sparse), "sparse gradients are not implemented");
  if (!s.given(given)) return s.parameter("weight", {rows, width}, !freeze);
  check<ValueError>(same(s[given].shape(), DimVector{rows, width}),
                    "Shape of weight does not match num_embeddings and embedding_dim: got ",
                    s[given].shape(), ", expected [", rows, ", ", width, "]");
  s.parameter_of("weight", s[given], !freeze);
}

template <size_t padding, size_t given>
void reset_table(LayerState& s) {
  if (s.given(given)) return;
  init::normal(s.tensor(0), 0, 1);
  if (s.given(padding)) init::constant(selected(s.tensor(0), 0, s.integer(padding)), 0);
}

// Options in the order of EmbeddingBag's signature; the first two are Embedding's.
enum BagOption {
  kBagMaxNorm = 2,
  kBagNormType,
  kBagByFrequency,
  kBagMode,
  kBagSparse,
  kBagGiven,
  kBagIncludeLast,
  kBagPadding
};

}  // namespace

const Layer linear{{
    .sig = "Linear(int in_features, int out_features, bool bias=True)",
    .doc = "x W^T + b: [*, in_features] to [*, out_features].",
    .build =
        [](LayerState& s) {
          s.parameter("weight", {s.integer(1), s.integer(0)});
          s.parameter_if(s.flag(2), "bias", s.integer(1));
        },
    .reset = [](LayerState& s) { init::linear(s.tensor(0), s.tensor(1)); },
    .forward = [](const LayerCall& c) { return ops::linear(c.input(), c.tensor(0), c.tensor(1)); },
    .repr = "in_features={in_features}, out_features={out_features}, bias={bias}",
}};

const Layer bilinear{{
    .sig = "Bilinear(int in1_features, int in2_features, int out_features, bool bias=True)",
    .doc = "y_k = x1 W_k x2 + b_k: [*, in1_features] and [*, in2_features] to [*, out_features].",
    .inputs = "input1, input2",
    .build =
        [](LayerState& s) {
          check<ValueError>(s.integer(0) > 0, "in1_features must be > 0, but got ", s.integer(0));
          s.parameter("weight", {s.integer(2), s.integer(0), s.integer(1)});
          s.parameter_if(s.flag(3), "bias", s.integer(2));
        },
    .reset =
        [](LayerState& s) {
          const double bound = 1 / std::sqrt(static_cast<double>(s.integer(0)));
          init::uniform(s.tensor(0), -bound, bound);
          if (s.tensor(1).defined()) init::uniform(s.tensor(1), -bound, bound);
        },
    .forward =
        [](const LayerCall& c) {
          return ops::bilinear(c.input(0), c.input(1), c.tensor(0), c.tensor(1));
        },
    .repr = "in1_features={in1_features}, in2_features={in2_features}, "
            "out_features={out_features}, bias={bias}",
}};

const Layer embedding{{
    .sig = "Embedding(int num_embeddings, int embedding_dim, int? padding_idx=None, float? "
           "max_norm=None, float norm_type=2.0, bool scale_grad_by_freq=False, bool sparse=False, "
           "Tensor? _weight=None, bool _freeze=False)",
    .doc = "The row of the weight [num_embeddings, embedding_dim] that each index names: [*] to "
           "[*, embedding_dim]. The row padding_idx starts as zeros and gets no gradient; rows "
           "longer than max_norm are scaled down as they are used.",
    .build =
        [](LayerState& s) {
          build_table(s, kPadding, kGiven, kSparse, s.given(kFreeze) && s.flag(kFreeze));
        },
    .reset = reset_table<kPadding, kGiven>,
    .forward =
        [](const LayerCall& c) {
          return ops::embedding(c.input(), c.tensor(0), c.value(kPadding), c.value(kMaxNorm),
                                c.number(kNormType), c.flag(kByFrequency), c.flag(kSparse));
        },
    .repr = "{num_embeddings}, {embedding_dim}{padding_idx*}{max_norm*}{norm_type*}"
            "{scale_grad_by_freq*}",
}};

const Layer embedding_bag{{
    .sig = "EmbeddingBag(int num_embeddings, int embedding_dim, float? max_norm=None, float "
           "norm_type=2.0, bool scale_grad_by_freq=False, str mode='mean', bool sparse=False, "
           "Tensor? _weight=None, bool include_last_offset=False, int? padding_idx=None)",
    .doc =
        "The sum, mean or maximum of the rows of the weight [num_embeddings, embedding_dim] that "
        "each bag names: bags are the rows of the input, or begin in it at offsets.",
    .inputs = "input, offsets?, per_sample_weights?",
    .build = [](LayerState& s) { build_table(s, kBagPadding, kBagGiven, kBagSparse, false); },
    .reset = reset_table<kBagPadding, kBagGiven>,
    .forward =
        [](const LayerCall& c) {
          return ops::embedding_bag(c.input(), c.tensor(0), c.input(1), c.value(kBagMaxNorm),
                                    c.number(kBagNormType), c.flag(kBagByFrequency),
                                    c.str(kBagMode), c.flag(kBagSparse), c.input(2),
                                    c.flag(kBagIncludeLast), c.value(kBagPadding));
        },
    .repr = "{num_embeddings}, {embedding_dim}{max_norm*}{norm_type*}{scale_grad_by_freq*}, "
            "mode={mode!r}{padding_idx*}",
}};

const Layer dropout{{
    .sig = "Dropout(float p=0.5, bool inplace=False)",
    .doc =
        "Zeroes elements with probability p while training and scales the others by 1 / (1 - p).",
    .build = check_probability,
    .forward = dropped<ops::dropout>,
    .repr = "p={p}, inplace={inplace}",
}};

const Layer dropout1d{{
    .sig = "Dropout1d(float p=0.5, bool inplace=False)",
    .doc = "Dropout of whole channels of [n, c, l] or [c, l].",
    .build = check_probability,
    .forward = dropped<ops::dropout1d>,
    .repr = "p={p}, inplace={inplace}",
}};

const Layer dropout2d{{
    .sig = "Dropout2d(float p=0.5, bool inplace=False)",
    .doc = "Dropout of whole channels of [n, c, h, w].",
    .build = check_probability,
    .forward = dropped<ops::dropout2d>,
    .repr = "p={p}, inplace={inplace}",
}};

const Layer dropout3d{{
    .sig = "Dropout3d(float p=0.5, bool inplace=False)",
    .doc = "Dropout of whole channels of [n, c, d, h, w] or [c, d, h, w].",
    .build = check_probability,
    .forward = dropped<ops::dropout3d>,
    .repr = "p={p}, inplace={inplace}",
}};

const Layer alpha_dropout{{
    .sig = "AlphaDropout(float p=0.5, bool inplace=False)",
    .doc = "Dropout that keeps mean and variance of what SELU gives.",
    .build = check_probability,
    .forward = dropped<ops::alpha_dropout>,
    .repr = "p={p}, inplace={inplace}",
}};

const Layer feature_alpha_dropout{{
    .sig = "FeatureAlphaDropout(float p=0.5, bool inplace=False)",
    .doc = "AlphaDropout of whole channels of [n, c, ...].",
    .build = check_probability,
    .forward = dropped<ops::feature_alpha_dropout>,
    .repr = "p={p}, inplace={inplace}",
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

const Layer unflatten{{
    .sig = "Unflatten(int dim, int[] unflattened_size)",
    .doc = "Dimension dim as several of unflattened_size.",
    .forward =
        [](const LayerCall& c) { return ops::unflatten(c.input(), c.integer(0), c.ints(1)); },
    .repr = "dim={dim}, unflattened_size={unflattened_size}",
}};

const Layer cosine_similarity{{
    .sig = "CosineSimilarity(int dim=1, float eps=1e-08)",
    .doc = "The cosine of the angle between x1 and x2 along dim.",
    .inputs = "x1, x2",
    .forward =
        [](const LayerCall& c) {
          return ops::cosine_similarity(c.input(0), c.input(1), c.integer(0), c.number(1));
        },
}};

const Layer pairwise_distance{{
    .sig = "PairwiseDistance(float p=2.0, float eps=1e-06, bool keepdim=False)",
    .doc = "The p-norm of x1 - x2 + eps along the last dimension.",
    .inputs = "x1, x2",
    .forward =
        [](const LayerCall& c) {
          return ops::pairwise_distance(c.input(0), c.input(1), c.number(0), c.number(1),
                                        c.flag(2));
        },
}};

const Layer pixel_shuffle{{
    .sig = "PixelShuffle(int upscale_factor)",
    .doc = "[*, c r^2, h, w] as [*, c, h r, w r].",
    .forward = [](const LayerCall& c) { return ops::pixel_shuffle(c.input(), c.integer(0)); },
    .repr = "upscale_factor={upscale_factor}",
}};

const Layer pixel_unshuffle{{
    .sig = "PixelUnshuffle(int downscale_factor)",
    .doc = "[*, c, h r, w r] as [*, c r^2, h, w].",
    .forward = [](const LayerCall& c) { return ops::pixel_unshuffle(c.input(), c.integer(0)); },
    .repr = "downscale_factor={downscale_factor}",
}};

const Layer channel_shuffle{{
    .sig = "ChannelShuffle(int groups)",
    .doc = "Channels in the order that takes one of each group in turn.",
    .forward = [](const LayerCall& c) { return ops::channel_shuffle(c.input(), c.integer(0)); },
    .repr = "groups={groups}",
}};

const Layer unfold{{
    .sig = "Unfold(int[] kernel_size, int[] dilation=1, int[] padding=0, int[] stride=1)",
    .doc = "Each window of images [n, c, h, w] as a column of [n, c kh kw, places].",
    .forward =
        [](const LayerCall& c) {
          return ops::im2col(c.input(), c.ints(0), c.ints(1), c.ints(2), c.ints(3));
        },
    .repr = "kernel_size={kernel_size}, dilation={dilation}, padding={padding}, stride={stride}",
}};

const Layer fold{{
    .sig = "Fold(int[] output_size, int[] kernel_size, int[] dilation=1, int[] padding=0, int[] "
           "stride=1)",
    .doc = "The images whose windows are the columns of [n, c kh kw, places], added up where they "
           "overlap.",
    .forward =
        [](const LayerCall& c) {
          return ops::fold(c.input(), c.ints(0), c.ints(1), c.ints(2), c.ints(3), c.ints(4));
        },
    .repr = "output_size={output_size}, kernel_size={kernel_size}, dilation={dilation}, "
            "padding={padding}, stride={stride}",
}};

const Layer upsample{{
    .sig = "Upsample(int[]? size=None, float? scale_factor=None, str mode='nearest', bool? "
           "align_corners=None, bool? recompute_scale_factor=None)",
    .doc = "[n, c, spatial...] at another resolution: nearest, linear, bilinear, trilinear or "
           "bicubic.",
    .build =
        [](LayerState& s) {
          if (s.given(1)) s.set(1, s.number(1));
        },
    .forward =
        [](const LayerCall& c) {
          return ops::interpolate(c.input(), c.value(0), c.value(1), c.str(2), c.value(3),
                                  c.value(4));
        },
    .repr = "{size*}{scale_factor*}, mode={mode!r}",
}};

}  // namespace gotorch::layers
