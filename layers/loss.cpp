// Loss layers: input and target in, the reduced loss out.
#include "layers/layers.h"
#include "tensor/ops.h"

namespace gotorch::layers {

const Layer mse_loss{{
    .sig = "MSELoss(*, str reduction='mean')",
    .doc = "(input - target)^2.",
    .inputs = "input, target",
    .forward =
        [](const LayerCall& c) {
          return ops::mse_loss(c.input(0), c.input(1), Value(), Value(), c.str(0));
        },
}};

const Layer l1_loss{{
    .sig = "L1Loss(*, str reduction='mean')",
    .doc = "|input - target|.",
    .inputs = "input, target",
    .forward =
        [](const LayerCall& c) {
          return ops::l1_loss(c.input(0), c.input(1), Value(), Value(), c.str(0));
        },
}};

const Layer smooth_l1_loss{{
    .sig = "SmoothL1Loss(*, str reduction='mean', float beta=1.0)",
    .doc = "Quadratic below beta, linear above.",
    .inputs = "input, target",
    .forward =
        [](const LayerCall& c) {
          return ops::smooth_l1_loss(c.input(0), c.input(1), Value(), Value(), c.str(0),
                                     c.number(1));
        },
}};

const Layer huber_loss{{
    .sig = "HuberLoss(str reduction='mean', float delta=1.0)",
    .doc = "Quadratic below delta, linear above.",
    .inputs = "input, target",
    .forward =
        [](const LayerCall& c) {
          return ops::huber_loss(c.input(0), c.input(1), c.str(0), c.number(1));
        },
}};

const Layer nll_loss{{
    .sig = "NLLLoss(Tensor? weight=None, *, int ignore_index=-100, str reduction='mean')",
    .doc = "-weight[target] * input[target] for log-probabilities.",
    .inputs = "input, target",
    .build = [](LayerState& s) { s.buffer("weight", s.tensor_or(0)); },
    .forward =
        [](const LayerCall& c) {
          return ops::nll_loss(c.input(0), c.input(1), c.tensor(0), Value(), c.integer(1), Value(),
                               c.str(2));
        },
}};

const Layer cross_entropy_loss{{
    .sig = "CrossEntropyLoss(Tensor? weight=None, *, int ignore_index=-100, str reduction='mean', "
           "float label_smoothing=0.0)",
    .doc = "-log softmax(input)[target].",
    .inputs = "input, target",
    .build = [](LayerState& s) { s.buffer("weight", s.tensor_or(0)); },
    .forward =
        [](const LayerCall& c) {
          return ops::cross_entropy(c.input(0), c.input(1), c.tensor(0), Value(), c.integer(1),
                                    Value(), c.str(2), c.number(3));
        },
}};

const Layer bce_loss{{
    .sig = "BCELoss(Tensor? weight=None, *, str reduction='mean')",
    .doc = "Binary cross-entropy of probabilities.",
    .inputs = "input, target",
    .build = [](LayerState& s) { s.buffer("weight", s.tensor_or(0)); },
    .forward =
        [](const LayerCall& c) {
          return ops::binary_cross_entropy(c.input(0), c.input(1), c.tensor(0), Value(), Value(),
                                           c.str(1));
        },
}};

const Layer bce_with_logits_loss{{
    .sig =
        "BCEWithLogitsLoss(Tensor? weight=None, *, str reduction='mean', Tensor? pos_weight=None)",
    .doc = "Binary cross-entropy of logits.",
    .inputs = "input, target",
    .build =
        [](LayerState& s) {
          s.buffer("weight", s.tensor_or(0));
          s.buffer("pos_weight", s.tensor_or(2));
        },
    .forward =
        [](const LayerCall& c) {
          return ops::binary_cross_entropy_with_logits(c.input(0), c.input(1), c.tensor(0), Value(),
                                                       Value(), c.str(1), c.tensor(1));
        },
}};

const Layer kl_div_loss{{
    .sig = "KLDivLoss(*, str reduction='mean', bool log_target=False)",
    .doc = "target * (log(target) - input) for log-probabilities.",
    .inputs = "input, target",
    .forward =
        [](const LayerCall& c) {
          return ops::kl_div(c.input(0), c.input(1), Value(), Value(), c.str(0), c.flag(1));
        },
}};

}  // namespace gotorch::layers
