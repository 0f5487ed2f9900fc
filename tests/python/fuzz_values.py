"""Arguments as plain values, so that a call can be told before it is made, and what they stand for."""

import dataclasses

import gotorch
import numpy as np

FLOATS = ("float16", "bfloat16", "float32", "float64")


@dataclasses.dataclass(frozen=True)
class T:
    """A tensor to be made."""

    dtype: str
    shape: tuple
    layout: str = "plain"
    fill: str = "random"
    grad: bool = False
    seed: int = 0

    def __repr__(self):
        size = str(self.shape) if len(self.shape) < 10 else f"(1,) * {len(self.shape)}"
        return f"T({self.dtype!r}, {size}, {self.layout!r}, {self.fill!r}, {self.grad}, {self.seed})"


@dataclasses.dataclass(frozen=True)
class D:
    """A dtype."""

    name: str


@dataclasses.dataclass(frozen=True)
class G:
    """A generator."""

    seed: int


@dataclasses.dataclass(frozen=True)
class Alias:
    """The first argument once more, or a view of it."""

    view: str


@dataclasses.dataclass(frozen=True)
class Nested:
    """A list in a list, so many times."""

    depth: int


def data_of(t, count):
    """So many values, in float64 or int64."""
    rng = np.random.RandomState(t.seed)
    if t.fill == "zeros":
        return np.zeros(count)
    if t.fill == "small":
        return rng.randint(0, 3, count)
    if t.dtype in FLOATS:
        data = rng.uniform(-3, 3, count)
        if t.fill == "special":
            values = [np.nan, np.inf, -np.inf, -0.0, 1e-45, 1e-310, 3e38, 1e308, 65504.0]
            data = rng.choice(values, count)
        return data * 1e30 if t.fill == "extreme" else data
    if t.dtype == "bool" or t.fill == "random":
        return rng.randint(0, 9, count)
    limits = np.iinfo(t.dtype)
    return rng.choice(np.array([limits.min, limits.max, limits.min + 1, 0], t.dtype), count)


def plain(t, shape):
    data = data_of(t, int(np.prod(shape)))  # NumPy knows 64 dimensions at most
    x = gotorch.tensor(data.astype("float32" if t.dtype == "bfloat16" else t.dtype)).reshape(shape)
    return x.to(gotorch.bfloat16) if t.dtype == "bfloat16" else x


def make(t):
    """The tensor that `t` tells of."""
    shape, layout = t.shape, t.layout
    if layout == "transposed" and len(shape) > 1:
        x = plain(t, shape[::-1]).permute(*range(len(shape) - 1, -1, -1))
    elif layout == "offset" and shape:
        x = plain(t, (shape[0] + 3, *shape[1:]))[3:]
    elif layout == "stepped" and shape:
        x = plain(t, (*shape[:-1], 2 * shape[-1]))[..., ::2]
    elif layout == "expanded" and shape:
        x = plain(t, (1, *shape[1:])).expand(shape)
    elif layout in ("readonly", "numpy") and t.dtype != "bfloat16":
        array = data_of(t, int(np.prod(shape))).astype(t.dtype)
        if layout == "readonly":  # as bytes are, of which there must be some
            array = np.frombuffer(array.tobytes() or bytes(8), t.dtype)[: array.size]
        x = gotorch.from_numpy(array).reshape(shape)
    elif layout == "shrunk":
        x = plain(t, (4, *shape)).as_strided(shape, plain(t, shape).stride())
    elif layout == "deferred":
        x = plain(t, shape) + plain(dataclasses.replace(t, fill="zeros"), shape)
    elif layout == "view":
        x = plain(t, (2, *shape))[1]
    else:
        x = plain(t, shape)
    if t.grad and t.dtype in FLOATS:
        x = x.detach().requires_grad_()
    return x


def alias_of(x, view):
    if not isinstance(x, gotorch.Tensor):
        return gotorch.ones(3)
    if view == "itself" or x.dim() == 0:
        return x
    if view == "transposed":
        return x.transpose(0, -1)
    return x.narrow(0, min(1, x.shape[0]), max(x.shape[0] - 1, 0)) if view == "shifted" else x[:1].expand(x.shape)


def realize(value, first=None):
    """What `value` tells of; `first` is the first argument of the call."""
    if isinstance(value, T):
        return make(value)
    if isinstance(value, Alias):
        return alias_of(first, value.view)
    if isinstance(value, D):
        return getattr(gotorch, value.name)
    if isinstance(value, G):
        return gotorch.Generator().manual_seed(value.seed)
    if isinstance(value, Nested):
        deep = []
        for _ in range(value.depth):
            deep = [deep]
        return deep
    if isinstance(value, (list, tuple)):
        return type(value)(realize(v, first) for v in value)
    return value


def realize_all(args, kwargs):
    first = realize(args[0]) if args else None
    rest = [realize(v, first) for v in args[1:]]
    return ([first] if args else []) + rest, {k: realize(v, first) for k, v in kwargs.items()}


@dataclasses.dataclass(frozen=True)
class Target:
    """Something to call: parameters as (name, type, keyword-only), sample arguments as values of this module."""

    name: str
    function: object
    params: tuple
    samples: tuple = ()
    returns_views: bool = False
    inplace: bool = False
