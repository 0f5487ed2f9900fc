// Activation layers: `inplace` is accepted and gives the same values.
#include "layers/init.h"
#include "layers/layers.h"
#include "tensor/ops.h"

namespace gotorch::layers {

const Layer relu{{
    .sig = "ReLU(bool inplace=False)",
    .doc = "max(x, 0).",
    .forward = [](const LayerCall& c) { return ops::relu(c.input()); },
    .repr = "{inplace?}",
}};

const Layer relu6{{
    .sig = "ReLU6(bool inplace=False)",
    .doc = "min(max(x, 0), 6).",
    .forward = [](const LayerCall& c) { return ops::relu6(c.input()); },
    .repr = "{inplace?}",
}};

const Layer leaky_relu{{
    .sig = "LeakyReLU(float negative_slope=0.01, bool inplace=False)",
    .doc = "x where positive, negative_slope * x elsewhere.",
    .forward = [](const LayerCall& c) { return ops::leaky_relu(c.input(), c.number(0)); },
    .repr = "negative_slope={negative_slope}, {inplace?}",
}};

const Layer elu{{
    .sig = "ELU(float alpha=1.0, bool inplace=False)",
    .doc = "x where positive, alpha * (exp(x) - 1) elsewhere.",
    .forward = [](const LayerCall& c) { return ops::elu(c.input(), c.number(0)); },
    .repr = "alpha={alpha}, {inplace?}",
}};

const Layer selu{{
    .sig = "SELU(bool inplace=False)",
    .doc = "The self-normalising elu.",
    .forward = [](const LayerCall& c) { return ops::selu(c.input()); },
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
    .forward = [](const LayerCall& c) { return ops::silu(c.input()); },
    .repr = "{inplace?}",
}};

const Layer mish{{
    .sig = "Mish(bool inplace=False)",
    .doc = "x * tanh(softplus(x)).",
    .forward = [](const LayerCall& c) { return ops::mish(c.input()); },
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
        [](const LayerCall& c) { return ops::hardtanh(c.input(), c.number(0), c.number(1)); },
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
    .forward =
        [](const LayerCall& c) {
          const Tensor& w = c.tensor(0);
          if (w.numel() == 1) return ops::prelu(c.input(), w);
          DimVector shape(static_cast<size_t>(std::max<int64_t>(c.input().dim() - 1, 1)), 1);
          shape[0] = w.numel();
          return ops::prelu(c.input(), ops::reshape(w, shape));
        },
    .repr = "num_parameters={num_parameters}",
}};

}  // namespace gotorch::layers
