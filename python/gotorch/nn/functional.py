"""Functions of the layers: the ops that C++ defines for this scope."""

import math

import gotorch
from gotorch import _C
from gotorch.nn._multi_head import multi_head_attention_forward  # noqa: F401

globals().update({k: v for k, v in vars(_C.nn_functions).items() if not k.startswith("_")})


def _max_pooling(name, position):
    """The function that returns indices too if asked: by the name return_indices or at this position."""
    plain, with_indices = (getattr(_C.nn_functions, n) for n in (name, name + "_with_indices"))

    def pool(*args, return_indices=False, **kwargs):
        if len(args) > position:
            args, return_indices = args[:position], args[position]
        return (with_indices if return_indices else plain)(*args, **kwargs)

    pool.__name__ = pool.__qualname__ = name
    pool.__doc__ = f"{plain.__doc__}\n\nWith return_indices=True also the place of each result in its plane."
    return pool


for _dims in (1, 2, 3):
    for _name, _position in ((f"max_pool{_dims}d", 6), (f"adaptive_max_pool{_dims}d", 2)):
        globals()[_name] = _max_pooling(_name, _position)


unfold = _C.nn_functions.im2col


def gumbel_softmax(logits, tau=1, hard=False, eps=1e-10, dim=-1):
    """A sample of the categories of logits as probabilities along `dim` (Jang et al. 2017); `hard`: as one-hot vectors
    with the gradient of the probabilities."""
    noise = -gotorch.empty_like(logits).exponential_().log()
    soft = ((logits + noise) / tau).softmax(dim)
    if not hard:
        return soft
    one_hot = gotorch.zeros_like(soft).scatter_(dim, soft.argmax(dim, keepdim=True), 1.0)
    return one_hot - soft.detach() + soft


def _power_pooling(average, dims):
    """The p-norm of each window: of the mean of the powers and the size of a window."""

    def pool(input, norm_type, kernel_size, stride=None, ceil_mode=False):
        size = (kernel_size,) * dims if isinstance(kernel_size, int) else tuple(kernel_size)
        mean = average(input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
        return (mean.sign() * mean.abs().relu() * math.prod(size)).pow(1.0 / norm_type)

    pool.__name__ = pool.__qualname__ = f"lp_pool{dims}d"
    return pool


lp_pool1d = _power_pooling(_C.nn_functions.avg_pool1d, 1)
lp_pool2d = _power_pooling(_C.nn_functions.avg_pool2d, 2)


def normalize(input, p=2.0, dim=1, eps=1e-12, out=None):
    """input / max(norm, eps) along `dim`."""
    return gotorch.div(input, input.norm(p, dim, keepdim=True).clamp_min(eps), out=out)
