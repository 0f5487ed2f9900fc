// Convolution and pooling layers.
#include "layers/init.h"
#include "layers/layers.h"
#include "tensor/ops.h"

namespace gotorch::layers {
namespace {

// Options in the order of all convolutions' signatures.
enum ConvOption { kIn, kOut, kKernel, kStride, kPadding, kDilation, kGroups, kBias, kMode };

void check_channels(const LayerState& s, size_t groups) {
  check<ValueError>(s.integer(groups) > 0, "groups must be a positive integer");
  check<ValueError>(s.integer(kIn) % s.integer(groups) == 0,
                    "in_channels must be divisible by groups");
  check<ValueError>(s.integer(kOut) % s.integer(groups) == 0,
                    "out_channels must be divisible by groups");
}

void build_conv(LayerState& s) {
  check_channels(s, kGroups);
  check<NotImplementedError>(s.str(kMode) == "zeros", "padding_mode '", s.str(kMode),
                             "' is not implemented; pad the input first");
  DimVector shape{s.integer(kOut), s.integer(kIn) / s.integer(kGroups)};
  shape.append(s.ints(kKernel).begin(), s.ints(kKernel).end());
  s.parameter("weight", shape);
  s.parameter_if(s.flag(kBias), "bias", s.integer(kOut));
}

void reset_conv(LayerState& s) { init::linear(s.tensor(0), s.tensor(1)); }

template <const Op& op>
Tensor conv(const LayerCall& c) {
  return op(c.input(), c.tensor(0), c.tensor(1), c.ints(kStride), c.ints(kPadding),
            c.ints(kDilation), c.integer(kGroups));
}

// kernel_size, stride, padding, output_padding, groups, bias, dilation from position 2.
void build_conv_transpose(LayerState& s) {
  check_channels(s, 6);
  check<ValueError>(s.str(9) == "zeros",
                    "Only \"zeros\" padding mode is supported for ConvTranspose");
  DimVector shape{s.integer(kIn), s.integer(kOut) / s.integer(6)};
  shape.append(s.ints(2).begin(), s.ints(2).end());
  s.parameter("weight", shape);
  s.parameter_if(s.flag(7), "bias", s.integer(kOut));
}

template <const Op& op>
Tensor conv_transpose(const LayerCall& c) {
  return op(c.input(), c.tensor(0), c.tensor(1), c.ints(3), c.ints(4), c.ints(5), c.integer(6),
            c.ints(8));
}

constexpr const char* kConvRepr =
    "{in_channels}, {out_channels}, kernel_size={kernel_size}, "
    "stride={stride}{padding*}{dilation*}{groups*}{bias*}";

}  // namespace

const Layer conv1d{{
    .sig = "Conv1d(int in_channels, int out_channels, int[1] kernel_size, int[1] stride=1, int[1] "
           "padding=0, int[1] dilation=1, int groups=1, bool bias=True, str padding_mode='zeros')",
    .doc = "Convolution of [n, in_channels, l].",
    .build = build_conv,
    .reset = reset_conv,
    .forward = conv<ops::conv1d>,
    .repr = kConvRepr,
}};

const Layer conv2d{{
    .sig = "Conv2d(int in_channels, int out_channels, int[2] kernel_size, int[2] stride=1, int[2] "
           "padding=0, int[2] dilation=1, int groups=1, bool bias=True, str padding_mode='zeros')",
    .doc = "Convolution of [n, in_channels, h, w].",
    .build = build_conv,
    .reset = reset_conv,
    .forward = conv<ops::conv2d>,
    .repr = kConvRepr,
}};

const Layer conv3d{{
    .sig = "Conv3d(int in_channels, int out_channels, int[3] kernel_size, int[3] stride=1, int[3] "
           "padding=0, int[3] dilation=1, int groups=1, bool bias=True, str padding_mode='zeros')",
    .doc = "Convolution of [n, in_channels, d, h, w].",
    .build = build_conv,
    .reset = reset_conv,
    .forward = conv<ops::conv3d>,
    .repr = kConvRepr,
}};

const Layer conv_transpose1d{{
    .sig = "ConvTranspose1d(int in_channels, int out_channels, int[1] kernel_size, int[1] "
           "stride=1, int[1] padding=0, int[1] output_padding=0, int groups=1, bool bias=True, "
           "int[1] dilation=1, str padding_mode='zeros')",
    .doc = "The transpose of Conv1d.",
    .build = build_conv_transpose,
    .reset = reset_conv,
    .forward = conv_transpose<ops::conv_transpose1d>,
    .repr = "{in_channels}, {out_channels}, kernel_size={kernel_size}, "
            "stride={stride}{padding*}{dilation*}{output_padding*}{groups*}{bias*}",
}};

const Layer conv_transpose2d{{
    .sig = "ConvTranspose2d(int in_channels, int out_channels, int[2] kernel_size, int[2] "
           "stride=1, int[2] padding=0, int[2] output_padding=0, int groups=1, bool bias=True, "
           "int[2] dilation=1, str padding_mode='zeros')",
    .doc = "The transpose of Conv2d.",
    .build = build_conv_transpose,
    .reset = reset_conv,
    .forward = conv_transpose<ops::conv_transpose2d>,
    .repr = "{in_channels}, {out_channels}, kernel_size={kernel_size}, "
            "stride={stride}{padding*}{dilation*}{output_padding*}{groups*}{bias*}",
}};

const Layer max_pool1d{{
    .sig = "MaxPool1d(int[] kernel_size, int[]? stride=None, int[] padding=0, int[] dilation=1, "
           "bool return_indices=False, bool ceil_mode=False)",
    .doc = "The largest element of each window of [n, c, l].",
    .build =
        [](LayerState& s) {
          check<NotImplementedError>(!s.flag(4), "return_indices is not implemented for layers");
        },
    .forward =
        [](const LayerCall& c) {
          return ops::max_pool1d(c.input(), c.ints(0), c.value(1), c.ints(2), c.ints(3), c.flag(5));
        },
    .repr = "kernel_size={kernel_size}, stride={stride}, padding={padding}, dilation={dilation}, "
            "ceil_mode={ceil_mode}",
}};

const Layer max_pool2d{{
    .sig = "MaxPool2d(int[] kernel_size, int[]? stride=None, int[] padding=0, int[] dilation=1, "
           "bool return_indices=False, bool ceil_mode=False)",
    .doc = "The largest element of each window of [n, c, h, w].",
    .build =
        [](LayerState& s) {
          check<NotImplementedError>(!s.flag(4), "return_indices is not implemented for layers");
        },
    .forward =
        [](const LayerCall& c) {
          return ops::max_pool2d(c.input(), c.ints(0), c.value(1), c.ints(2), c.ints(3), c.flag(5));
        },
    .repr = "kernel_size={kernel_size}, stride={stride}, padding={padding}, dilation={dilation}, "
            "ceil_mode={ceil_mode}",
}};

const Layer avg_pool1d{{
    .sig = "AvgPool1d(int[1] kernel_size, int[1]? stride=None, int[1] padding=0, bool "
           "ceil_mode=False, bool count_include_pad=True)",
    .doc = "The mean of each window of [n, c, l].",
    .forward =
        [](const LayerCall& c) {
          return ops::avg_pool1d(c.input(), c.ints(0), c.value(1), c.ints(2), c.flag(3), c.flag(4));
        },
    .repr = "kernel_size={kernel_size}, stride={stride}, padding={padding}",
}};

const Layer avg_pool2d{{
    .sig = "AvgPool2d(int[] kernel_size, int[]? stride=None, int[] padding=0, bool "
           "ceil_mode=False, bool count_include_pad=True, int? divisor_override=None)",
    .doc = "The mean of each window of [n, c, h, w].",
    .forward =
        [](const LayerCall& c) {
          return ops::avg_pool2d(c.input(), c.ints(0), c.value(1), c.ints(2), c.flag(3), c.flag(4),
                                 c.value(5));
        },
    .repr = "kernel_size={kernel_size}, stride={stride}, padding={padding}",
}};

const Layer adaptive_avg_pool1d{{
    .sig = "AdaptiveAvgPool1d(int[] output_size)",
    .doc = "Means of windows chosen so that the result is [n, c, output_size].",
    .forward = [](const LayerCall& c) { return ops::adaptive_avg_pool1d(c.input(), c.ints(0)); },
    .repr = "output_size={output_size}",
}};

const Layer adaptive_avg_pool2d{{
    .sig = "AdaptiveAvgPool2d(int[] output_size)",
    .doc = "Means of windows chosen so that the result is [n, c, *output_size].",
    .forward = [](const LayerCall& c) { return ops::adaptive_avg_pool2d(c.input(), c.ints(0)); },
    .repr = "output_size={output_size}",
}};

const Layer adaptive_max_pool2d{{
    .sig = "AdaptiveMaxPool2d(int[] output_size)",
    .doc = "The largest elements of windows chosen so that the result is [n, c, *output_size].",
    .forward = [](const LayerCall& c) { return ops::adaptive_max_pool2d(c.input(), c.ints(0)); },
    .repr = "output_size={output_size}",
}};

}  // namespace gotorch::layers
