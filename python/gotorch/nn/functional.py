"""Functions of the layers: the ops that C++ defines for this scope."""

from gotorch import _C

globals().update({k: v for k, v in vars(_C.nn_functions).items() if not k.startswith("_")})


def normalize(input, p=2.0, dim=1, eps=1e-12):
    """input / max(norm, eps) along `dim`."""
    return input / input.norm(p, dim, keepdim=True).clamp_min(eps)
