"""Initial values for parameters, written in place."""

import math

import gotorch

_GAINS = {"tanh": 5.0 / 3, "relu": math.sqrt(2.0), "selu": 0.75}


def calculate_gain(nonlinearity, param=None):
    """The factor by which the standard deviation grows for what follows the layer."""
    if nonlinearity == "leaky_relu":
        return math.sqrt(2.0 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity in _GAINS:
        return _GAINS[nonlinearity]
    if nonlinearity == "sigmoid" or nonlinearity.startswith(("linear", "conv")):
        return 1
    raise ValueError(f"Unsupported nonlinearity {nonlinearity}")


def _fans(tensor):
    if tensor.dim() < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


_calculate_fan_in_and_fan_out = _fans


def _fan(tensor, mode):
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']")
    return _fans(tensor)[mode == "fan_out"]


def _in_place(fill):
    def run(tensor, *args, **kwargs):
        with gotorch.no_grad():
            fill(tensor, *args, **kwargs)
        return tensor

    run.__name__, run.__doc__ = fill.__name__, fill.__doc__
    return run


@_in_place
def uniform_(tensor, a=0.0, b=1.0, generator=None):
    """Uniform in [a, b)."""
    tensor.uniform_(a, b, generator=generator)


@_in_place
def normal_(tensor, mean=0.0, std=1.0, generator=None):
    """Normal."""
    tensor.normal_(mean, std, generator=generator)


@_in_place
def constant_(tensor, val):
    """`val` everywhere."""
    tensor.fill_(val)


@_in_place
def ones_(tensor):
    """1 everywhere."""
    tensor.fill_(1)


@_in_place
def zeros_(tensor):
    """0 everywhere."""
    tensor.fill_(0)


@_in_place
def eye_(tensor):
    """The identity matrix."""
    if tensor.dim() != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    tensor.copy_(gotorch.eye(*tensor.shape))


@_in_place
def xavier_uniform_(tensor, gain=1.0, generator=None):
    """Uniform with variance 2 gain^2 / (fan_in + fan_out): Glorot and Bengio 2010."""
    bound = math.sqrt(3.0) * (gain * math.sqrt(2.0 / sum(_fans(tensor))))
    tensor.uniform_(-bound, bound, generator=generator)


@_in_place
def xavier_normal_(tensor, gain=1.0, generator=None):
    """Normal with variance 2 gain^2 / (fan_in + fan_out): Glorot and Bengio 2010."""
    tensor.normal_(0.0, gain * math.sqrt(2.0 / sum(_fans(tensor))), generator=generator)


@_in_place
def kaiming_uniform_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Uniform with variance gain^2 / fan: He et al. 2015."""
    bound = math.sqrt(3.0) * (calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode)))
    tensor.uniform_(-bound, bound, generator=generator)


@_in_place
def kaiming_normal_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Normal with variance gain^2 / fan: He et al. 2015."""
    tensor.normal_(0.0, calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode)), generator=generator)
