"""The layers with constructor arguments and inputs, for both libraries."""

import numpy as np


class Ints:
    """Random integers in [low, high)."""

    def __init__(self, high, *shape, low=0):
        self.low, self.high, self.shape = low, high, shape


class Signs:
    """-1 and 1: labels, without a gradient."""

    def __init__(self, *shape):
        self.shape = shape


class Uniform:
    """Uniform in (low, high)."""

    def __init__(self, *shape, low=0.05, high=0.95):
        self.low, self.high, self.shape = low, high, shape


class Fixed:
    """These integers."""

    def __init__(self, *values):
        self.values = values


def options(*args, **kwargs):
    return args, kwargs


def data(spec, seed, dtype=np.float32):
    """The array of a spec; a tuple is the shape of normal numbers."""
    random = np.random.default_rng(seed)
    if isinstance(spec, Uniform):
        return random.uniform(spec.low, spec.high, spec.shape).astype(dtype)
    if isinstance(spec, Signs):
        return random.choice([-1.0, 1.0], spec.shape).astype(dtype)
    if isinstance(spec, Ints):
        return random.integers(spec.low, spec.high, spec.shape)
    if isinstance(spec, Fixed):
        return np.array(spec.values)
    return random.normal(size=spec).astype(dtype)


X = (3, 5)
LINE = (2, 4, 9)
IMAGE = (2, 4, 6, 7)
BLOCK = (1, 2, 4, 5, 6)
P = Uniform(3, 5)

# name: (options, inputs), ...
TABLE = {
    "Linear": [
        (options(5, 3), X),
        (options(5, 3, bias=False), (2, 3, 5)),
        (options(5, 3), (5,)),
        (options(5, 3, dtype="float64"), X),
    ],
    "Bilinear": [
        (options(4, 2, 3), (3, 4), (3, 2)),
        (options(4, 2, 3, bias=False), (2, 3, 4), (2, 3, 2)),
        (options(4, 2, 3, dtype="float64"), (4,), (2,)),
    ],
    "Identity": [(options(), X), (options(54, unused=0.1), X)],
    "Flatten": [(options(), IMAGE), (options(2, -1), IMAGE), (options(start_dim=0, end_dim=1), IMAGE)],
    "Unflatten": [(options(1, (2, 2)), IMAGE), (options(-1, [1, -1]), X)],
    "Unfold": [(options((2, 3)), IMAGE), (options(2, 2, 1, (1, 2)), IMAGE)],
    "Fold": [(options((3, 5), (2, 3)), (2, 12, 6)), (options(4, 2, padding=1, stride=2), (2, 8, 9))],
    "Embedding": [
        (options(7, 3), Ints(7, 4)),
        (options(7, 3, padding_idx=2), Ints(7, 4, 2)),
        (options(7, 3, -1), Ints(7, 20)),
        (options(7, 3, max_norm=1.0), Ints(7, 2, 2)),
        (options(7, 3, None, 0.5, 1.0), Ints(7, 5)),
        (options(7, 3, scale_grad_by_freq=True), Ints(7, 20)),
        (options(7, 3, _weight=Uniform(7, 3)), Ints(7, 4)),
        (options(7, 3, _weight=Uniform(7, 3), _freeze=True), Ints(7, 4)),
        (options(7, 3, dtype="float64"), Ints(7, 4)),
    ],
    "EmbeddingBag": [
        (options(7, 3), Ints(7, 4, 5)),
        (options(7, 3, mode="sum"), Ints(7, 6), Fixed(0, 2, 2, 5)),
        (options(7, 3, mode="max", padding_idx=2), Ints(7, 8), Fixed(0, 3)),
        (options(7, 3, 1.0, 1.0, mode="sum", padding_idx=-1), Ints(7, 8), Fixed(0, 3), Uniform(8)),
        (options(7, 3, include_last_offset=True), Ints(7, 8), Fixed(0, 3, 8)),
        (options(7, 3, mode="sum", _weight=Uniform(7, 3)), Ints(7, 4, 2)),
        (options(7, 3, dtype="float64"), Ints(7, 4, 5)),
    ],
    "ReLU": [(options(), X), (options(inplace=True), X)],
    "ReLU6": [(options(), X), (options(True), X)],
    "LeakyReLU": [(options(), X), (options(0.2, inplace=True), X)],
    "ELU": [(options(), X), (options(0.5), X), (options(0.5, True), X)],
    "CELU": [(options(), X), (options(0.5), X), (options(2.0, inplace=True), X)],
    "SELU": [(options(), X), (options(True), X)],
    "GELU": [(options(), X), (options("tanh"), X)],
    "SiLU": [(options(), X), (options(inplace=True), X)],
    "Mish": [(options(), X), (options(inplace=True), X)],
    "Sigmoid": [(options(), X)],
    "LogSigmoid": [(options(), X)],
    "Tanh": [(options(), X)],
    "Tanhshrink": [(options(), X)],
    "Softplus": [(options(), X), (options(2, 1), X)],
    "Softsign": [(options(), X)],
    "Softshrink": [(options(), X), (options(0.2), X)],
    "Hardshrink": [(options(), X), (options(lambd=0.2), X)],
    "Hardsigmoid": [(options(), X), (options(True), X)],
    "Hardswish": [(options(), X), (options(inplace=True), X)],
    "Hardtanh": [(options(), X), (options(-0.5, 0.25), X), (options(-1, 2, inplace=True), X)],
    "Threshold": [(options(0.1, 20), X), (options(-0.5, 0.0, inplace=True), X)],
    "GLU": [(options(), (3, 6)), (options(1), IMAGE)],
    "Softmax": [(options(1), X), (options(dim=-2), IMAGE)],
    "Softmin": [(options(1), X), (options(dim=-2), IMAGE)],
    "Softmax2d": [(options(), IMAGE), (options(), (4, 6, 7))],
    "LogSoftmax": [(options(1), X), (options(-1), IMAGE)],
    "PReLU": [(options(), X), (options(4, 0.1), IMAGE), (options(dtype="float64"), X)],
    "Dropout": [(options(), X), (options(0.2), (40, 40)), (options(1.0), X), (options(0.4, inplace=True), X)],
    "Dropout1d": [(options(), LINE), (options(0.3), (4, 9)), (options(0.3, True), LINE)],
    "Dropout2d": [(options(0.3), IMAGE), (options(inplace=True), IMAGE)],
    "Dropout3d": [(options(0.3), BLOCK), (options(), (4, 2, 3, 2)), (options(0.3, True), BLOCK)],
    "AlphaDropout": [(options(), X), (options(0.2, inplace=True), (40, 40))],
    "FeatureAlphaDropout": [(options(), IMAGE), (options(0.3, True), LINE)],
    "BatchNorm1d": [
        (options(4), (6, 4)),
        (options(4), LINE),
        (options(4, affine=False), (6, 4)),
        (options(4, momentum=None), (6, 4)),
        (options(4, 1e-3, 0.3, track_running_stats=False), (6, 4)),
        (options(4, bias=False), (6, 4)),
        (options(4, dtype="float64"), (6, 4)),
    ],
    "BatchNorm2d": [(options(4), IMAGE), (options(4, 1e-4, 0.2, False), IMAGE)],
    "BatchNorm3d": [(options(2), BLOCK), (options(2, track_running_stats=False), BLOCK)],
    "InstanceNorm1d": [
        (options(4), LINE),
        (options(4), (4, 9)),
        (options(4, affine=True), LINE),
        (options(4, affine=True, bias=False), LINE),
        (options(4, 1e-3, 0.3, track_running_stats=True), LINE),
        (options(4, affine=True, dtype="float64"), LINE),
    ],
    "InstanceNorm2d": [(options(4), IMAGE), (options(4, affine=True, track_running_stats=True), IMAGE)],
    "InstanceNorm3d": [(options(2), BLOCK), (options(2, affine=True), (2, 4, 5, 6))],
    "LayerNorm": [
        (options(5), X),
        (options((6, 7), eps=1e-3), IMAGE),
        (options([7], bias=False), IMAGE),
        (options(5, elementwise_affine=False), X),
        (options(5, dtype="float64"), X),
    ],
    "RMSNorm": [
        (options(5), X),
        (options((6, 7), eps=1e-3), IMAGE),
        (options([5], 0.1, False), X),
        (options(5, dtype="float64"), X),
    ],
    "GroupNorm": [
        (options(2, 4), IMAGE),
        (options(4, 4, affine=False), LINE),
        (options(2, 4, 1e-3, bias=False), LINE),
        (options(1, 4, dtype="float64"), LINE),
    ],
    "LocalResponseNorm": [(options(2), IMAGE), (options(3, 0.1, 0.5, 2.0), LINE)],
    "Conv1d": [
        (options(4, 6, 3), LINE),
        (options(4, 6, 3, 2, 1, bias=False), LINE),
        (options(4, 6, 4, padding="same"), LINE),
        (options(4, 6, 3, padding="valid", dilation=2), LINE),
        (options(4, 6, 3, padding=2, padding_mode="reflect"), LINE),
        (options(4, 6, (3,), dtype="float64"), (4, 9)),
    ],
    "Conv2d": [
        (options(4, 6, 3), IMAGE),
        (options(4, 6, (3, 2), stride=(2, 1), padding=1, dilation=(1, 2)), IMAGE),
        (options(4, 8, 3, groups=2, bias=False), IMAGE),
        (options(4, 8, 3, groups=4), IMAGE),
        (options(4, 6, 1), (4, 6, 7)),
        (options(4, 6, (4, 3), padding="same", padding_mode="circular"), IMAGE),
        (options(4, 6, 3, padding=(2, 1), padding_mode="replicate"), IMAGE),
        (options(4, 6, [3, 3], padding="same", dilation=[2, 1]), IMAGE),
        (options(4, 6, 3, dtype="float64"), IMAGE),
    ],
    "Conv3d": [
        (options(2, 3, 2, padding=1), BLOCK),
        (options(2, 4, (1, 2, 3), (1, 2, 1), groups=2, bias=False), BLOCK),
        (options(2, 3, 3, padding=1, padding_mode="circular"), BLOCK),
        (options(2, 3, 2, padding="same"), (2, 4, 5, 6)),
    ],
    "ConvTranspose1d": [
        (options(4, 3, 3, stride=2, output_padding=1), LINE),
        (options(4, 3, 3, bias=False, dilation=2), (4, 9)),
        (options(4, 3, 3, dtype="float64"), LINE),
    ],
    "ConvTranspose2d": [
        (options(4, 6, 3, 2, 1, 1, groups=2), IMAGE),
        (options(4, 3, (2, 3), bias=False), IMAGE),
        (options(4, 3, 2, dilation=(2, 1), padding=(1, 0)), (4, 6, 7)),
    ],
    "ConvTranspose3d": [
        (options(2, 3, 2), BLOCK),
        (options(2, 4, (1, 2, 3), (1, 2, 2), (0, 1, 0), (0, 1, 0), 2, False, 1), BLOCK),
    ],
    "MaxPool1d": [
        (options(3), LINE),
        (options(2, stride=1, padding=1, ceil_mode=True), LINE),
        (options(3, return_indices=True), LINE),
    ],
    "MaxPool2d": [
        (options(2), IMAGE),
        (options((3, 2), (2, 1), padding=1, dilation=(1, 2)), IMAGE),
        (options(3, 2, ceil_mode=True), (4, 6, 7)),
        (options(2, return_indices=True), IMAGE),
    ],
    "MaxPool3d": [
        (options(2), BLOCK),
        (options((2, 3, 2), 1, (1, 1, 0), ceil_mode=True), BLOCK),
        (options(2, 2, 0, 1, True), (2, 4, 5, 6)),
    ],
    "AvgPool1d": [(options(3, 2), LINE), (options(3, 2, 1, True, False), LINE)],
    "AvgPool2d": [
        (options(2), IMAGE),
        (options(3, 2, 1, count_include_pad=False), IMAGE),
        (options((3, 2), ceil_mode=True, divisor_override=5), (4, 6, 7)),
    ],
    "AvgPool3d": [
        (options(2), BLOCK),
        (options((2, 3, 2), 2, (1, 1, 0), True, False), BLOCK),
        (options(2, divisor_override=3), (2, 4, 5, 6)),
    ],
    "AdaptiveAvgPool1d": [(options(4), LINE), (options((3,)), (4, 9))],
    "AdaptiveAvgPool2d": [(options(3), IMAGE), (options((None, 2)), IMAGE), (options((3, 2)), (4, 6, 7))],
    "AdaptiveAvgPool3d": [(options(2), BLOCK), (options((2, None, 3)), BLOCK)],
    "AdaptiveMaxPool1d": [(options(4), LINE), (options(4, return_indices=True), LINE)],
    "AdaptiveMaxPool2d": [
        (options((3, 2)), IMAGE),
        (options((None, 2)), IMAGE),
        (options(3, True), (4, 6, 7)),
    ],
    "AdaptiveMaxPool3d": [(options(2), BLOCK), (options((2, None, 3), return_indices=True), BLOCK)],
    "ConstantPad1d": [(options(2, 3.5), LINE), (options((1, 2), -1), (4, 9))],
    "ConstantPad2d": [(options(2, 3.5), IMAGE), (options((1, 2, 0, -1), 0.5), IMAGE)],
    "ConstantPad3d": [(options(1, 3.5), BLOCK), (options((1, 2, 0, 1, 2, 0), 0.5), BLOCK)],
    "ZeroPad1d": [(options(2), LINE), (options((1, 2)), LINE)],
    "ZeroPad2d": [(options(2), IMAGE), (options((1, 2, 0, -1)), IMAGE)],
    "ZeroPad3d": [(options(1), BLOCK), (options((1, 2, 0, 1, 2, 0)), BLOCK)],
    "ReflectionPad1d": [(options(2), LINE), (options((1, 3)), (4, 9))],
    "ReflectionPad2d": [(options(2), IMAGE), (options((1, 2, 0, 3)), (4, 6, 7))],
    "ReflectionPad3d": [(options(1), BLOCK), (options((1, 2, 0, 1, 2, 0)), BLOCK)],
    "ReplicationPad1d": [(options(2), LINE), (options((1, 12)), (4, 9))],
    "ReplicationPad2d": [(options(2), IMAGE), (options((1, 2, 0, 3)), (4, 6, 7))],
    "ReplicationPad3d": [(options(1), BLOCK), (options((1, 2, 0, 1, 2, 0)), BLOCK)],
    "CircularPad1d": [(options(2), LINE), (options((1, 3)), (4, 9))],
    "CircularPad2d": [(options(2), IMAGE), (options((1, 2, 0, 3)), (4, 6, 7))],
    "CircularPad3d": [(options(1), BLOCK), (options((1, 2, 0, 1, 2, 0)), BLOCK)],
    "PixelShuffle": [(options(2), IMAGE), (options(1), IMAGE)],
    "PixelUnshuffle": [(options(2), (2, 3, 4, 6))],
    "ChannelShuffle": [(options(2), IMAGE), (options(4), LINE)],
    "Upsample": [
        (options(5), LINE),
        (options(scale_factor=2), IMAGE),
        (options((3, 8), mode="bilinear"), IMAGE),
        (options(None, 1.7, "bicubic", True), IMAGE),
        (options(scale_factor=1.3, mode="linear", recompute_scale_factor=True), LINE),
        (options(scale_factor=2.0, mode="nearest-exact"), IMAGE),
        (options((2, 3, 7), mode="trilinear", align_corners=True), BLOCK),
    ],
    "CosineSimilarity": [(options(), X, X), (options(0, 1e-3), X, X)],
    "PairwiseDistance": [(options(), X, X), (options(1.0, keepdim=True), X, X), (options(3, 1e-3), X, X)],
    "MSELoss": [(options(), X, X), (options(reduction="none"), X, X), (options(size_average=False), X, X)],
    "L1Loss": [(options(), X, X), (options(reduction="sum"), X, X), (options(reduce=False), X, X)],
    "SmoothL1Loss": [(options(beta=0.5), X, X), (options(reduction="sum", beta=0.0), X, X)],
    "HuberLoss": [(options("sum", 0.5), X, X), (options(), X, X), (options("none"), X, X)],
    "NLLLoss": [
        (options(), X, Ints(5, 3)),
        (options(ignore_index=1), X, Ints(5, 3)),
        (options(Uniform(5)), X, Ints(5, 3)),
        (options(Uniform(4), reduction="none"), IMAGE, Ints(4, 2, 6, 7)),
    ],
    "CrossEntropyLoss": [
        (options(), X, Ints(5, 3)),
        (options(reduction="sum", label_smoothing=0.1), X, Ints(5, 3)),
        (options(), IMAGE, Ints(4, 2, 6, 7)),
        (options(Uniform(5), ignore_index=2), X, Ints(5, 3)),
        (options(weight=Uniform(5), label_smoothing=0.2, reduction="none"), X, P),
    ],
    "BCELoss": [(options(), P, P), (options(Uniform(5), reduction="sum"), P, P)],
    "BCEWithLogitsLoss": [
        (options(), X, P),
        (options(Uniform(3, 1), reduction="none", pos_weight=Uniform(5, high=3)), X, P),
    ],
    "KLDivLoss": [
        (options(), X, P),
        (options(reduction="batchmean"), X, P),
        (options(reduction="sum", log_target=True), X, X),
    ],
    "PoissonNLLLoss": [
        (options(), X, P),
        (options(log_input=False, reduction="sum"), P, P),
        (options(full=True, eps=1e-3), X, Uniform(3, 5, high=4)),
    ],
    "GaussianNLLLoss": [
        (options(), X, X, P),
        (options(full=True, eps=0.3, reduction="sum"), X, X, Uniform(3, 1)),
        (options(reduction="none"), X, X, Uniform(3)),
    ],
    "HingeEmbeddingLoss": [(options(), X, Signs(3, 5)), (options(0.3, reduction="none"), X, Signs(3, 5))],
    "MarginRankingLoss": [(options(), X, X, Signs(3, 5)), (options(0.3, reduction="sum"), (5,), (5,), Signs(5))],
    "CosineEmbeddingLoss": [(options(), X, X, Signs(3)), (options(0.3, reduction="none"), X, X, Signs(3))],
    "TripletMarginLoss": [(options(), X, X, X), (options(0.5, 1.0, 1e-3, True, reduction="none"), X, X, X)],
    "SoftMarginLoss": [(options(), X, Signs(3, 5)), (options(reduction="sum"), X, Signs(3, 5))],
    "MultiLabelSoftMarginLoss": [(options(), X, P), (options(Uniform(5), reduction="none"), X, P)],
    "MultiMarginLoss": [
        (options(), X, Ints(5, 3)),
        (options(2, 0.5, Uniform(5), reduction="none"), X, Ints(5, 3)),
        (options(), (5,), Ints(5)),
    ],
    "MultiLabelMarginLoss": [
        (options(), X, Ints(5, 3, 5, low=-1)),
        (options(reduction="none"), (5,), Ints(5, 5, low=-1)),
    ],
}
