// Activation layers. With `inplace` they write to their input.
#include "layers/init.h"
#include "layers/layers.h"
#include "tensor/ops.h"

namespace gotorch::layers {

const Layer relu{{
    .sig = "ReLU(bool inplace=False)",
    .doc = "max(x, 0).",
    .forward = [](const LayerCall& c) { return c.apply(ops::relu, c.flag(0)); },
    .repr = "{inplace?}",
}};

const Layer relu6{{
    .sig = "ReLU6(bool inplace=False)",
    .doc = "min(max(x, 0), 6).",
    .forward = [](const LayerCall& c) { return c.apply(ops::relu6, c.flag(0)); },
    .repr = "{inplace?}",
}};

const Layer leaky_relu{{
    .sig = "LeakyReLU(float negative_slope=0.01, bool inplace=False)",
    .doc = "x where positive, negative_slope * x elsewhere.",
    .forward = [](const LayerCall& c) { return c.apply(ops::leaky_relu, c.flag(1), c.number(0)); },
    .repr = "negative_slope={negative_slope}, {inplace?}",
}};

const Layer elu{{
    .sig = "ELU(float alpha=1.0, bool inplace=False)",
    .doc = "x where positive, alpha * (exp(x) - 1) elsewhere.",
    .forward = [](const LayerCall& c) { return c.apply(ops::elu, c.flag(1), c.number(0)); },
    .repr = "alpha={alpha}, {inplace?}",
}};

const Layer selu{{
    .sig = "SELU(bool inplace=False)",
    .doc = "The self-normalising elu.",
    .forward = [](const LayerCall& c) { return c.apply(ops::selu, c.flag(0)); },
    .repr = "{inplace?}",
}};

const Layer gelu{{
    .sig = "GELU(str approximate='none')",
    .doc = "x * Phi(x).",
    .forward = [](const LayerCall& c) { return ops::gelu(c.input(), c.str(0)); },
    .repr = "approximate={approximate!r}",
}};

const Layer silu{{
    .sig = "SiLU(bool inplace=False)",
    .doc = "x * sigmoid(x).",
    .forward = [](const LayerCall& c) { return c.apply(ops::silu, c.flag(0)); },
    .repr = "{inplace?}",
}};

const Layer mish{{
    .sig = "Mish(bool inplace=False)",
    .doc = "x * tanh(softplus(x)).",
    .forward = [](const LayerCall& c) { return c.apply(ops::mish, c.flag(0)); },
    .repr = "{inplace?}",
}};

const Layer sigmoid{{
    .sig = "Sigmoid()",
    .doc = "1 / (1 + exp(-x)).",
    .forward = [](const LayerCall& c) { return ops::sigmoid(c.input()); },
}};

const Layer log_sigmoid{{
    .sig = "LogSigmoid()",
    .doc = "log(sigmoid(x)).",
    .forward = [](const LayerCall& c) { return ops::logsigmoid(c.input()); },
}};

const Layer tanh{{
    .sig = "Tanh()",
    .doc = "Hyperbolic tangent.",
    .forward = [](const LayerCall& c) { return ops::tanh(c.input()); },
}};

const Layer softplus{{
    .sig = "Softplus(float beta=1.0, float threshold=20.0)",
    .doc = "log(1 + exp(beta * x)) / beta.",
    .forward =
        [](const LayerCall& c) { return ops::softplus(c.input(), c.number(0), c.number(1)); },
    .repr = "beta={beta}, threshold={threshold}",
}};

const Layer softsign{{
    .sig = "Softsign()",
    .doc = "x / (1 + |x|).",
    .forward = [](const LayerCall& c) { return ops::softsign(c.input()); },
}};

const Layer hardtanh{{
    .sig = "Hardtanh(float min_val=-1.0, float max_val=1.0, bool inplace=False)",
    .doc = "x limited to [min_val, max_val].",
    .forward =
        [](const LayerCall& c) {
          return c.apply(ops::hardtanh, c.flag(2), c.number(0), c.number(1));
        },
    .repr = "min_val={min_val}, max_val={max_val}, {inplace?}",
}};

const Layer softmax{{
    .sig = "Softmax(int? dim=None)",
    .doc = "exp(x) / sum(exp(x)) along dim.",
    .forward = [](const LayerCall& c) { return ops::softmax(c.input(), c.value(0)); },
    .repr = "dim={dim}",
}};

const Layer log_softmax{{
    .sig = "LogSoftmax(int? dim=None)",
    .doc = "log(softmax(x)) along dim.",
    .forward = [](const LayerCall& c) { return ops::log_softmax(c.input(), c.value(0)); },
    .repr = "dim={dim}",
}};

const Layer prelu{{
    .sig = "PReLU(int num_parameters=1, float init=0.25)",
    .doc = "x where positive, weight * x elsewhere; one weight, or one per channel.",
    .build = [](LayerState& s) { s.parameter("weight", s.integer(0)); },
    .reset = [](LayerState& s) { init::constant(s.tensor(0), s.number(1)); },
    .forward = [](const LayerCall& c) { return ops::prelu(c.input(), c.tensor(0)); },
    .repr = "num_parameters={num_parameters}",
}};

const Layer celu{{
    .sig = "CELU(float alpha=1.0, bool inplace=False)",
    .doc = "x where positive, alpha * (exp(x / alpha) - 1) elsewhere.",
    .forward = [](const LayerCall& c) { return c.apply(ops::celu, c.flag(1), c.number(0)); },
    .repr = "alpha={alpha}, {inplace?}",
}};

const Layer hardswish{{
    .sig = "Hardswish(bool inplace=False)",
    .doc = "x * min(max(x + 3, 0), 6) / 6.",
    .forward = [](const LayerCall& c) { return c.apply(ops::hardswish, c.flag(0)); },
}};

const Layer hardsigmoid{{
    .sig = "Hardsigmoid(bool inplace=False)",
    .doc = "min(max(x + 3, 0), 6) / 6.",
    .forward = [](const LayerCall& c) { return c.apply(ops::hardsigmoid, c.flag(0)); },
}};

const Layer threshold{{
    .sig = "Threshold(float threshold, float value, bool inplace=False)",
    .doc = "x where above threshold, value elsewhere.",
    .forward =
        [](const LayerCall& c) {
          return c.apply(ops::threshold, c.flag(2), c.scalar(0), c.scalar(1));
        },
    .repr = "threshold={threshold}, value={value}, {inplace?}",
}};

const Layer hardshrink{{
    .sig = "Hardshrink(float lambd=0.5)",
    .doc = "x where |x| > lambd, 0 elsewhere.",
    .forward = [](const LayerCall& c) { return ops::hardshrink(c.input(), c.number(0)); },
    .repr = "{lambd}",
}};

const Layer softshrink{{
    .sig = "Softshrink(float lambd=0.5)",
    .doc = "x moved towards 0 by lambd, and 0 where |x| <= lambd.",
    .forward = [](const LayerCall& c) { return ops::softshrink(c.input(), c.number(0)); },
    .repr = "{lambd}",
}};

const Layer tanhshrink{{
    .sig = "Tanhshrink()",
    .doc = "x - tanh(x).",
    .forward = [](const LayerCall& c) { return ops::tanhshrink(c.input()); },
}};

const Layer glu{{
    .sig = "GLU(int dim=-1)",
    .doc = "a * sigmoid(b) for the halves a and b of x along dim.",
    .forward = [](const LayerCall& c) { return ops::glu(c.input(), c.integer(0)); },
    .repr = "dim={dim}",
}};

const Layer softmin{{
    .sig = "Softmin(int? dim=None)",
    .doc = "softmax(-x) along dim.",
    .forward = [](const LayerCall& c) { return ops::softmax(ops::neg(c.input()), c.value(0)); },
    .repr = "dim={dim}",
}};

const Layer softmax2d{{
    .sig = "Softmax2d()",
    .doc = "softmax over the channels of [n, c, h, w] or [c, h, w].",
    .forward =
        [](const LayerCall& c) {
          const int64_t d = c.input().dim();
          check<ValueError>(d == 3 || d == 4, "Softmax2d: expected input to be 3D or 4D, got ", d,
                            "D instead");
          return ops::softmax(c.input(), -3);
        },
}};

}  // namespace gotorch::layers
