// Pooling layers.
#include "layers/layers.h"
#include "tensor/ops.h"

namespace gotorch::layers {
namespace {

template <const Op& op>
Tensors max_pool_all(const LayerCall& c) {
  return op.all(c.input(), c.ints(0), c.value(1), c.ints(2), c.ints(3), c.flag(5));
}
template <const Op& op>
Tensor max_pool(const LayerCall& c) {
  return std::move(max_pool_all<op>(c)[0]);
}

template <const Op& op>
Tensor avg_pool(const LayerCall& c) {
  return op(c.input(), c.ints(0), c.value(1), c.ints(2), c.flag(3), c.flag(4), c.value(5));
}

template <const Op& op>
Tensors adaptive_pool_all(const LayerCall& c) {
  return op.all(c.input(), c.ints(0));
}
template <const Op& op>
Tensor adaptive_pool(const LayerCall& c) {
  return op(c.input(), c.ints(0));
}

constexpr const char* kMaxPoolRepr =
    "kernel_size={kernel_size}, stride={stride}, padding={padding}, dilation={dilation}, "
    "ceil_mode={ceil_mode}";
constexpr const char* kAvgPoolRepr =
    "kernel_size={kernel_size}, stride={stride}, padding={padding}";

}  // namespace

const Layer max_pool1d{{
    .sig = "MaxPool1d(int[] kernel_size, int[]? stride=None, int[] padding=0, int[] dilation=1, "
           "bool return_indices=False, bool ceil_mode=False)",
    .doc = "The largest element of each window of [n, c, l].",
    .forward = max_pool<ops::max_pool1d>,
    .with_indices = max_pool_all<ops::max_pool1d_with_indices>,
    .repr = kMaxPoolRepr,
}};

const Layer max_pool2d{{
    .sig = "MaxPool2d(int[] kernel_size, int[]? stride=None, int[] padding=0, int[] dilation=1, "
           "bool return_indices=False, bool ceil_mode=False)",
    .doc = "The largest element of each window of [n, c, h, w].",
    .forward = max_pool<ops::max_pool2d>,
    .with_indices = max_pool_all<ops::max_pool2d_with_indices>,
    .repr = kMaxPoolRepr,
}};

const Layer max_pool3d{{
    .sig = "MaxPool3d(int[] kernel_size, int[]? stride=None, int[] padding=0, int[] dilation=1, "
           "bool return_indices=False, bool ceil_mode=False)",
    .doc = "The largest element of each window of [n, c, d, h, w].",
    .forward = max_pool<ops::max_pool3d>,
    .with_indices = max_pool_all<ops::max_pool3d_with_indices>,
    .repr = kMaxPoolRepr,
}};

const Layer avg_pool1d{{
    .sig = "AvgPool1d(int[1] kernel_size, int[1]? stride=None, int[1] padding=0, bool "
           "ceil_mode=False, bool count_include_pad=True)",
    .doc = "The mean of each window of [n, c, l].",
    .forward =
        [](const LayerCall& c) {
          return ops::avg_pool1d(c.input(), c.ints(0), c.value(1), c.ints(2), c.flag(3), c.flag(4));
        },
    .repr = kAvgPoolRepr,
}};

const Layer avg_pool2d{{
    .sig = "AvgPool2d(int[] kernel_size, int[]? stride=None, int[] padding=0, bool "
           "ceil_mode=False, bool count_include_pad=True, int? divisor_override=None)",
    .doc = "The mean of each window of [n, c, h, w].",
    .forward = avg_pool<ops::avg_pool2d>,
    .repr = kAvgPoolRepr,
}};

const Layer avg_pool3d{{
    .sig = "AvgPool3d(int[] kernel_size, int[]? stride=None, int[] padding=0, bool "
           "ceil_mode=False, bool count_include_pad=True, int? divisor_override=None)",
    .doc = "The mean of each window of [n, c, d, h, w].",
    .forward = avg_pool<ops::avg_pool3d>,
    .repr = kAvgPoolRepr,
}};

const Layer adaptive_avg_pool1d{{
    .sig = "AdaptiveAvgPool1d(int?[] output_size)",
    .doc = "Means of windows chosen so that the result is [n, c, output_size].",
    .forward = adaptive_pool<ops::adaptive_avg_pool1d>,
    .repr = "output_size={output_size}",
}};

const Layer adaptive_avg_pool2d{{
    .sig = "AdaptiveAvgPool2d(int?[] output_size)",
    .doc = "Means of windows chosen so that the result is [n, c, *output_size].",
    .forward = adaptive_pool<ops::adaptive_avg_pool2d>,
    .repr = "output_size={output_size}",
}};

const Layer adaptive_max_pool2d{{
    .sig = "AdaptiveMaxPool2d(int?[] output_size, bool return_indices=False)",
    .doc = "The largest elements of windows chosen so that the result is [n, c, *output_size].",
    .forward = adaptive_pool<ops::adaptive_max_pool2d>,
    .with_indices = adaptive_pool_all<ops::adaptive_max_pool2d_with_indices>,
    .repr = "output_size={output_size}",
}};

const Layer adaptive_avg_pool3d{{
    .sig = "AdaptiveAvgPool3d(int?[] output_size)",
    .doc = "Means of windows chosen so that the result is [n, c, *output_size].",
    .forward = adaptive_pool<ops::adaptive_avg_pool3d>,
    .repr = "output_size={output_size}",
}};

const Layer adaptive_max_pool1d{{
    .sig = "AdaptiveMaxPool1d(int?[] output_size, bool return_indices=False)",
    .doc = "The largest elements of windows chosen so that the result is [n, c, output_size].",
    .forward = adaptive_pool<ops::adaptive_max_pool1d>,
    .with_indices = adaptive_pool_all<ops::adaptive_max_pool1d_with_indices>,
    .repr = "output_size={output_size}",
}};

const Layer adaptive_max_pool3d{{
    .sig = "AdaptiveMaxPool3d(int?[] output_size, bool return_indices=False)",
    .doc = "The largest elements of windows chosen so that the result is [n, c, *output_size].",
    .forward = adaptive_pool<ops::adaptive_max_pool3d>,
    .with_indices = adaptive_pool_all<ops::adaptive_max_pool3d_with_indices>,
    .repr = "output_size={output_size}",
}};

}  // namespace gotorch::layers
