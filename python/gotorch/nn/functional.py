"""Functions of the layers: the ops that C++ defines for this scope."""

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


def normalize(input, p=2.0, dim=1, eps=1e-12, out=None):
    """input / max(norm, eps) along `dim`."""
    return gotorch.div(input, input.norm(p, dim, keepdim=True).clamp_min(eps), out=out)
