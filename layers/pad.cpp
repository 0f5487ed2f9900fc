// Padding layers: a frame around the input, (before, after) of the last dimension, then of the one before, ...
#include "layers/layers.h"
#include "tensor/ops.h"

namespace gotorch::layers {
namespace {

enum class Frame { Zeros, Reflect, Replicate, Circular };
constexpr const char* kModes[] = {"constant", "reflect", "replicate", "circular"};

template <Frame frame>
Tensor framed(const LayerCall& c) {
  return ops::pad(c.input(), c.ints(0), kModes[static_cast<int>(frame)]);
}

Tensor framed_by_value(const LayerCall& c) {
  return ops::pad(c.input(), c.ints(0), "constant", c.number(1));
}

}  // namespace

const Layer constant_pad1d{{
    .sig = "ConstantPad1d(int[2] padding, float value)",
    .doc = "`value` around [n, c, l].",
    .forward = framed_by_value,
    .repr = "padding={padding}, value={value}",
}};

const Layer constant_pad2d{{
    .sig = "ConstantPad2d(int[4] padding, float value)",
    .doc = "`value` around [n, c, h, w].",
    .forward = framed_by_value,
    .repr = "padding={padding}, value={value}",
}};

const Layer constant_pad3d{{
    .sig = "ConstantPad3d(int[6] padding, float value)",
    .doc = "`value` around [n, c, d, h, w].",
    .forward = framed_by_value,
    .repr = "padding={padding}, value={value}",
}};

const Layer zero_pad1d{{
    .sig = "ZeroPad1d(int[2] padding)",
    .doc = "Zeros around [n, c, l].",
    .forward = framed<Frame::Zeros>,
    .repr = "{padding}",
}};

const Layer zero_pad2d{{
    .sig = "ZeroPad2d(int[4] padding)",
    .doc = "Zeros around [n, c, h, w].",
    .forward = framed<Frame::Zeros>,
    .repr = "{padding}",
}};

const Layer zero_pad3d{{
    .sig = "ZeroPad3d(int[6] padding)",
    .doc = "Zeros around [n, c, d, h, w].",
    .forward = framed<Frame::Zeros>,
    .repr = "{padding}",
}};

const Layer reflection_pad1d{{
    .sig = "ReflectionPad1d(int[2] padding)",
    .doc = "What reflection at the first and last element gives, around [n, c, l].",
    .forward = framed<Frame::Reflect>,
    .repr = "{padding}",
}};

const Layer reflection_pad2d{{
    .sig = "ReflectionPad2d(int[4] padding)",
    .doc = "What reflection at the first and last element gives, around [n, c, h, w].",
    .forward = framed<Frame::Reflect>,
    .repr = "{padding}",
}};

const Layer reflection_pad3d{{
    .sig = "ReflectionPad3d(int[6] padding)",
    .doc = "What reflection at the first and last element gives, around [n, c, d, h, w].",
    .forward = framed<Frame::Reflect>,
    .repr = "{padding}",
}};

const Layer replication_pad1d{{
    .sig = "ReplicationPad1d(int[2] padding)",
    .doc = "The first and last element repeated around [n, c, l].",
    .forward = framed<Frame::Replicate>,
    .repr = "{padding}",
}};

const Layer replication_pad2d{{
    .sig = "ReplicationPad2d(int[4] padding)",
    .doc = "The first and last element repeated around [n, c, h, w].",
    .forward = framed<Frame::Replicate>,
    .repr = "{padding}",
}};

const Layer replication_pad3d{{
    .sig = "ReplicationPad3d(int[6] padding)",
    .doc = "The first and last element repeated around [n, c, d, h, w].",
    .forward = framed<Frame::Replicate>,
    .repr = "{padding}",
}};

const Layer circular_pad1d{{
    .sig = "CircularPad1d(int[2] padding)",
    .doc = "What follows from the other end, around [n, c, l].",
    .forward = framed<Frame::Circular>,
    .repr = "{padding}",
}};

const Layer circular_pad2d{{
    .sig = "CircularPad2d(int[4] padding)",
    .doc = "What follows from the other end, around [n, c, h, w].",
    .forward = framed<Frame::Circular>,
    .repr = "{padding}",
}};

const Layer circular_pad3d{{
    .sig = "CircularPad3d(int[6] padding)",
    .doc = "What follows from the other end, around [n, c, d, h, w].",
    .forward = framed<Frame::Circular>,
    .repr = "{padding}",
}};

}  // namespace gotorch::layers
