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

const Layer poisson_nll_loss{{
    .sig = "PoissonNLLLoss(bool log_input=True, bool full=False, *, float eps=1e-08, str "
           "reduction='mean')",
    .doc = "exp(input) - target * input, the likelihood of counts.",
    .inputs = "log_input, target",
    .forward =
        [](const LayerCall& c) {
          return ops::poisson_nll_loss(c.input(0), c.input(1), c.flag(0), c.flag(1), Value(),
                                       c.number(2), Value(), c.str(3));
        },
}};

const Layer gaussian_nll_loss{{
    .sig = "GaussianNLLLoss(*, bool full=False, float eps=1e-06, str reduction='mean')",
    .doc = "(log(var) + (input - target)^2 / var) / 2.",
    .inputs = "input, target, var",
    .forward =
        [](const LayerCall& c) {
          return ops::gaussian_nll_loss(c.input(0), c.input(1), c.input(2), c.flag(0), c.number(1),
                                        c.str(2));
        },
}};

const Layer hinge_embedding_loss{{
    .sig = "HingeEmbeddingLoss(float margin=1.0, *, str reduction='mean')",
    .doc = "input where target is 1, max(0, margin - input) where it is -1.",
    .inputs = "input, target",
    .forward =
        [](const LayerCall& c) {
          return ops::hinge_embedding_loss(c.input(0), c.input(1), c.number(0), Value(), Value(),
                                           c.str(1));
        },
}};

const Layer margin_ranking_loss{{
    .sig = "MarginRankingLoss(float margin=0.0, *, str reduction='mean')",
    .doc = "max(0, -target * (input1 - input2) + margin).",
    .inputs = "input1, input2, target",
    .forward =
        [](const LayerCall& c) {
          return ops::margin_ranking_loss(c.input(0), c.input(1), c.input(2), c.number(0), Value(),
                                          Value(), c.str(1));
        },
}};

const Layer cosine_embedding_loss{{
    .sig = "CosineEmbeddingLoss(float margin=0.0, *, str reduction='mean')",
    .doc = "1 - cos(input1, input2) where target is 1, max(0, cos - margin) where it is -1.",
    .inputs = "input1, input2, target",
    .forward =
        [](const LayerCall& c) {
          return ops::cosine_embedding_loss(c.input(0), c.input(1), c.input(2), c.number(0),
                                            Value(), Value(), c.str(1));
        },
}};

const Layer triplet_margin_loss{{
    .sig = "TripletMarginLoss(float margin=1.0, float p=2.0, float eps=1e-06, bool swap=False, *, "
           "str reduction='mean')",
    .doc = "max(0, |anchor - positive| - |anchor - negative| + margin) in the p-norm.",
    .inputs = "anchor, positive, negative",
    .build =
        [](LayerState& s) {
          check<ValueError>(s.number(0) > 0,
                            "TripletMarginLoss: expected margin to be greater than 0, got ",
                            s.number(0), " instead");
        },
    .forward =
        [](const LayerCall& c) {
          return ops::triplet_margin_loss(c.input(0), c.input(1), c.input(2), c.number(0),
                                          c.number(1), c.number(2), c.flag(3), Value(), Value(),
                                          c.str(4));
        },
}};

const Layer ctc_loss{{
    .sig = "CTCLoss(int blank=0, str reduction='mean', bool zero_infinity=False)",
    .doc = "-log of the probability of target under all its alignments (Graves et al. 2006).",
    .inputs = "log_probs, targets, input_lengths, target_lengths",
    .forward =
        [](const LayerCall& c) {
          return ops::ctc_loss(c.input(0), c.input(1), c.input(2), c.input(3), c.integer(0),
                               c.str(1), c.flag(2));
        },
}};

const Layer soft_margin_loss{{
    .sig = "SoftMarginLoss(*, str reduction='mean')",
    .doc = "log(1 + exp(-target * input)) for targets of -1 and 1.",
    .inputs = "input, target",
    .forward =
        [](const LayerCall& c) {
          return ops::soft_margin_loss(c.input(0), c.input(1), Value(), Value(), c.str(0));
        },
}};

const Layer multilabel_soft_margin_loss{{
    .sig = "MultiLabelSoftMarginLoss(Tensor? weight=None, *, str reduction='mean')",
    .doc = "The binary cross-entropy of logits [n, c], averaged over the classes.",
    .inputs = "input, target",
    .build = [](LayerState& s) { s.buffer("weight", s.tensor_or(0)); },
    .forward =
        [](const LayerCall& c) {
          return ops::multilabel_soft_margin_loss(c.input(0), c.input(1), c.tensor(0), Value(),
                                                  Value(), c.str(1));
        },
}};

const Layer multi_margin_loss{{
    .sig = "MultiMarginLoss(int p=1, float margin=1.0, Tensor? weight=None, *, str "
           "reduction='mean')",
    .doc = "The mean over the classes of max(0, margin - input[target] + input)^p.",
    .inputs = "input, target",
    .build =
        [](LayerState& s) {
          check<ValueError>(s.integer(0) == 1 || s.integer(0) == 2,
                            "only p == 1 and p == 2 supported");
          s.buffer("weight", s.tensor_or(2));
        },
    .forward =
        [](const LayerCall& c) {
          return ops::multi_margin_loss(c.input(0), c.input(1), c.integer(0), c.number(1),
                                        c.tensor(0), Value(), Value(), c.str(3));
        },
}};

const Layer multilabel_margin_loss{{
    .sig = "MultiLabelMarginLoss(*, str reduction='mean')",
    .doc = "Hinge losses between the classes that a row of target lists, up to the first -1, and "
           "the others.",
    .inputs = "input, target",
    .forward =
        [](const LayerCall& c) {
          return ops::multilabel_margin_loss(c.input(0), c.input(1), Value(), Value(), c.str(0));
        },
}};

}  // namespace gotorch::layers
