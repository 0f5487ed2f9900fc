"""Functions of the layers: the ops that C++ defines for this scope."""

import gotorch
from gotorch import _C

globals().update({k: v for k, v in vars(_C.nn_functions).items() if not k.startswith("_")})


def one_hot(tensor, num_classes=-1):
    """A 1 at the place of each index, along a new last dimension."""
    if num_classes < 0:
        num_classes = int(tensor.max()) + 1
    return (tensor.unsqueeze(-1) == gotorch.arange(num_classes)).to(gotorch.int64)


def normalize(input, p=2.0, dim=1, eps=1e-12):
    """input / max(norm, eps) along `dim`."""
    return input / input.norm(p, dim, keepdim=True).clamp_min(eps)
