// Convolution layers and their transposes.
#include <algorithm>

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

void check_padding(const LayerState& s) {
  const auto mode = s.str(kMode);
  check<ValueError>(
      mode == "zeros" || mode == "reflect" || mode == "replicate" || mode == "circular",
      "padding_mode must be one of 'zeros', 'reflect', 'replicate', 'circular', but got "
      "padding_mode='",
      mode, "'");
  if (s.value(kPadding).kind() != Value::Kind::Str) return;
  const auto word = s.str(kPadding);
  check<ValueError>(word == "same" || word == "valid", "Invalid padding string '", word,
                    "', should be one of 'valid', 'same'");
  check<ValueError>(
      word != "same" || std::ranges::all_of(s.ints(kStride), [](int64_t n) { return n == 1; }),
      "padding='same' is not supported for strided convolutions");
}

void build_conv(LayerState& s) {
  check_channels(s, kGroups);
  check_padding(s);
  DimVector shape{s.integer(kOut), s.integer(kIn) / s.integer(kGroups)};
  shape.append(s.ints(kKernel).begin(), s.ints(kKernel).end());
  s.parameter("weight", shape);
  s.parameter_if(s.flag(kBias), "bias", s.integer(kOut));
}

void reset_conv(LayerState& s) { init::linear(s.tensor(0), s.tensor(1)); }

// (before, after) of each spatial dim, the last one first, as the op `pad` takes them.
DimVector frame(const LayerCall& c) {
  DimVector out;
  const bool word = c.value(kPadding).kind() == Value::Kind::Str;
  for (size_t i = c.ints(kKernel).size(); i-- > 0;) {
    const int64_t reach = c.ints(kDilation)[i] * (c.ints(kKernel)[i] - 1);
    const int64_t before = !word ? c.ints(kPadding)[i] : c.str(kPadding) == "same" ? reach / 2 : 0;
    out.push_back(before);
    out.push_back(word && before > 0 ? reach - before : before);
  }
  return out;
}

// `named` is the form of op that takes padding as a word.
template <const Op& op, const Op& named>
Tensor conv(const LayerCall& c) {
  const auto run = [&](const Op& form, const Tensor& x, const Value& padding) {
    return form(x, c.tensor(0), c.tensor(1), c.ints(kStride), padding, c.ints(kDilation),
                c.integer(kGroups));
  };
  if (c.str(kMode) != "zeros")
    return run(op, ops::pad(c.input(), frame(c), c.str(kMode)), Value(0));
  const bool word = c.value(kPadding).kind() == Value::Kind::Str;
  return run(word ? named : op, c.input(), c.value(kPadding));
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
    "stride={stride}{padding*}{dilation*}{groups*}{bias*}{padding_mode*}";
constexpr const char* kConvTransposeRepr =
    "{in_channels}, {out_channels}, kernel_size={kernel_size}, "
    "stride={stride}{padding*}{dilation*}{output_padding*}{groups*}{bias*}";

}  // namespace

const Layer conv1d{{
    .sig = "Conv1d(int in_channels, int out_channels, int[1] kernel_size, int[1] stride=1, "
           "int[1]|str padding=0, int[1] dilation=1, int groups=1, bool bias=True, str "
           "padding_mode='zeros')",
    .doc = "Convolution of [n, in_channels, l].",
    .build = build_conv,
    .reset = reset_conv,
    .forward = conv<ops::conv1d, ops::conv1d_named>,
    .repr = kConvRepr,
}};

const Layer conv2d{{
    .sig = "Conv2d(int in_channels, int out_channels, int[2] kernel_size, int[2] stride=1, "
           "int[2]|str padding=0, int[2] dilation=1, int groups=1, bool bias=True, str "
           "padding_mode='zeros')",
    .doc = "Convolution of [n, in_channels, h, w].",
    .build = build_conv,
    .reset = reset_conv,
    .forward = conv<ops::conv2d, ops::conv2d_named>,
    .repr = kConvRepr,
}};

const Layer conv3d{{
    .sig = "Conv3d(int in_channels, int out_channels, int[3] kernel_size, int[3] stride=1, "
           "int[3]|str padding=0, int[3] dilation=1, int groups=1, bool bias=True, str "
           "padding_mode='zeros')",
    .doc = "Convolution of [n, in_channels, d, h, w].",
    .build = build_conv,
    .reset = reset_conv,
    .forward = conv<ops::conv3d, ops::conv3d_named>,
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
    .repr = kConvTransposeRepr,
}};

const Layer conv_transpose2d{{
    .sig = "ConvTranspose2d(int in_channels, int out_channels, int[2] kernel_size, int[2] "
           "stride=1, int[2] padding=0, int[2] output_padding=0, int groups=1, bool bias=True, "
           "int[2] dilation=1, str padding_mode='zeros')",
    .doc = "The transpose of Conv2d.",
    .build = build_conv_transpose,
    .reset = reset_conv,
    .forward = conv_transpose<ops::conv_transpose2d>,
    .repr = kConvTransposeRepr,
}};

const Layer conv_transpose3d{{
    .sig = "ConvTranspose3d(int in_channels, int out_channels, int[3] kernel_size, int[3] "
           "stride=1, int[3] padding=0, int[3] output_padding=0, int groups=1, bool bias=True, "
           "int[3] dilation=1, str padding_mode='zeros')",
    .doc = "The transpose of Conv3d.",
    .build = build_conv_transpose,
    .reset = reset_conv,
    .forward = conv_transpose<ops::conv_transpose3d>,
    .repr = kConvTransposeRepr,
}};

}  // namespace gotorch::layers
