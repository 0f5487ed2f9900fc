// Pooling layers.
#include "layers/layers.h"
#include "tensor/ops.h"

namespace gotorch::layers {
namespace {

void refuse_indices(LayerState& s) {
  check<NotImplementedError>(!s.flag(4), "return_indices is not implemented for layers");
}

}  // namespace

const Layer max_pool1d{{
    .sig = "MaxPool1d(int[] kernel_size, int[]? stride=None, int[] padding=0, int[] dilation=1, "
           "bool return_indices=False, bool ceil_mode=False)",
    .doc = "The largest element of each window of [n, c, l].",
    .build = refuse_indices,
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
    .build = refuse_indices,
    .forward =
        [](const LayerCall& c) {
          return ops::max_pool2d(c.input(), c.ints(0), c.value(1), c.ints(2), c.ints(3), c.flag(5));
        },
    .repr = "kernel_size={kernel_size}, stride={stride}, padding={padding}, dilation={dilation}, "
            "ceil_mode={ceil_mode}",
}};

const Layer max_pool3d{{
    .sig = "MaxPool3d(int[] kernel_size, int[]? stride=None, int[] padding=0, int[] dilation=1, "
           "bool return_indices=False, bool ceil_mode=False)",
    .doc = "The largest element of each window of [n, c, d, h, w].",
    .build = refuse_indices,
    .forward =
        [](const LayerCall& c) {
          return ops::max_pool3d(c.input(), c.ints(0), c.value(1), c.ints(2), c.ints(3), c.flag(5));
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

const Layer avg_pool3d{{
    .sig = "AvgPool3d(int[] kernel_size, int[]? stride=None, int[] padding=0, bool "
           "ceil_mode=False, bool count_include_pad=True, int? divisor_override=None)",
    .doc = "The mean of each window of [n, c, d, h, w].",
    .forward =
        [](const LayerCall& c) {
          return ops::avg_pool3d(c.input(), c.ints(0), c.value(1), c.ints(2), c.flag(3), c.flag(4),
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

const Layer adaptive_avg_pool3d{{
    .sig = "AdaptiveAvgPool3d(int[] output_size)",
    .doc = "Means of windows chosen so that the result is [n, c, *output_size].",
    .forward = [](const LayerCall& c) { return ops::adaptive_avg_pool3d(c.input(), c.ints(0)); },
    .repr = "output_size={output_size}",
}};

const Layer adaptive_max_pool1d{{
    .sig = "AdaptiveMaxPool1d(int[] output_size)",
    .doc = "The largest elements of windows chosen so that the result is [n, c, output_size].",
    .forward = [](const LayerCall& c) { return ops::adaptive_max_pool1d(c.input(), c.ints(0)); },
    .repr = "output_size={output_size}",
}};

const Layer adaptive_max_pool3d{{
    .sig = "AdaptiveMaxPool3d(int[] output_size)",
    .doc = "The largest elements of windows chosen so that the result is [n, c, *output_size].",
    .forward = [](const LayerCall& c) { return ops::adaptive_max_pool3d(c.input(), c.ints(0)); },
    .repr = "output_size={output_size}",
}};

}  // namespace gotorch::layers
