"""The op table as calls: arguments for both libraries, and the comparison of results."""

import zlib

import gotorch
import numpy as np
import torch

TABLE = {f"{op['name']}.{op['overload']}".rstrip("."): op for op in gotorch._C.op_table()}
FLOATS = ("float16", "bfloat16", "float32", "float64")
INTS = ("uint8", "int8", "int16", "int32", "int64")
DTYPES = (*FLOATS, *INTS, "bool")


def dtype_name(d):
    return str(d)[len("torch.") :]


def dtype_names(op):
    return [dtype_name(d) for d in op["dtypes"]]


def untested(op):
    """{test: reason} of the tests that the op opts out of: "values, out: why; threads: why"."""
    found = {}
    for part in filter(None, op["untested"].split(";")):
        names, _, reason = part.partition(":")
        found.update({name.strip(): reason.strip() for name in names.split(",")})
    return found


def random_data(spec, dtype, rng, shape=None):
    """A tensor of PyTorch's whose values `dtype` holds; of the sample's own dtype unless that is float32."""
    _, own_shape, low, high, own = spec
    own = dtype_name(own)
    dtype = dtype if own == "float32" else own
    shape = own_shape if shape is None else shape
    if dtype in FLOATS:
        data = rng.uniform(low, high, shape)
    elif dtype == "bool":
        data = rng.randint(0, 2, shape)
    elif own != "float32":
        data = rng.randint(int(low), max(int(low) + 1, int(high)), shape)
    else:
        first, last = int(np.ceil(low)), int(np.floor(high))
        first = max(first, 0) if dtype == "uint8" else first
        data = rng.randint(first, max(last, first) + 1, shape)
    return torch.from_numpy(np.asarray(data)).to(getattr(torch, dtype))


def to_ours(value):
    """PyTorch's value as ours: tensors bit by bit, dtypes by name, lists element by element."""
    if isinstance(value, torch.Tensor):
        value = value.detach()
        if value.dtype == torch.bfloat16:
            return gotorch.tensor(value.view(torch.int16).numpy()).view(gotorch.bfloat16)
        return gotorch.tensor(value.numpy())
    if isinstance(value, torch.dtype):
        return getattr(gotorch, dtype_name(value))
    if isinstance(value, list):
        return [to_ours(v) for v in value]
    return value


def to_theirs(value):
    if isinstance(value, gotorch.Tensor):
        value = value.detach().contiguous()
        if value.dtype is gotorch.bfloat16:
            return torch.from_numpy(value.view(gotorch.int16).numpy().copy()).view(torch.bfloat16)
        return torch.from_numpy(np.array(value.numpy()))
    if isinstance(value, gotorch.dtype):
        return getattr(torch, dtype_name(value))
    if isinstance(value, (list, tuple)):
        return [to_theirs(v) for v in value]
    return value


# Arguments that are the shape of a tensor.
SHAPES = ("size", "shape", "normalized_shape")


def enlarged(sample, elements, dimensions="all", most=10**9):
    """A function of shapes that multiplies all dimensions, or the first one of the tensors with the most dimensions, until
    the sample's largest tensor has about so many elements, but by `most` at most."""
    every = specs(sample)
    shapes = [spec[1] for spec in every if spec[0] == "random"] or [spec[1] for spec in every if is_shape(spec[1])]
    dims = max(map(len, shapes), default=0)
    largest = max((int(np.prod(s)) for s in shapes if len(s) == dims), default=1)
    times = elements / max(largest, 1)  # of all dimensions together
    if dimensions == "first":
        return lambda shape: [max(1, round(times)) * shape[0], *shape[1:]] if shape and len(shape) == dims else shape
    factor = min(most, max(1, round(times ** (1 / max(dims, 1)))))
    return lambda shape: [factor * n for n in shape]


def specs(sample):
    """The specifications of a sample's arguments, those inside lists too."""
    return [s for spec in sample for s in (specs(spec[1]) if spec[0] == "list" else [spec])]


def is_shape(value):
    return isinstance(value, (tuple, list)) and len(value) > 0 and all(type(n) is int and n > 0 for n in value)


class Case:
    """One sample of an op in one dtype: the arguments as values of PyTorch. `reshape` changes the shapes of tensors and, if
    `sizes`, arguments that are shapes."""

    def __init__(self, key, sample, dtype, reshape=None, sizes=False):
        self.op = TABLE[key]
        self.dtype = dtype
        rng = np.random.RandomState(zlib.crc32(key.encode()) % 2**31)
        self.values = [self._value(spec, dtype, rng, reshape) for spec in sample]
        for i, param in enumerate(self.op["params"][: len(self.values)]):
            if sizes and reshape and param["name"] in SHAPES and is_shape(self.values[i]):
                self.values[i] = type(self.values[i])(reshape(self.values[i]))

    def _value(self, spec, dtype, rng, reshape):
        if spec[0] == "random":
            return random_data(spec, dtype, rng, reshape and reshape(spec[1]))
        if spec[0] == "list":
            return [self._value(s, dtype, rng, reshape) for s in spec[1]]
        value = spec[1]
        return to_theirs(value) if isinstance(value, gotorch.dtype) else value

    def tensors(self):
        return [t for t in flat(self.values) if isinstance(t, torch.Tensor)]

    def arguments(self, values):
        """(args, kwargs): keyword-only parameters by name, without those that default to None."""
        args, kwargs = [], {}
        for param, value in zip(self.op["params"], values):
            if not param["keyword_only"]:
                args.append(value)
            elif not (value is None and param["has_default"] and param["default"] is None):
                kwargs[param["name"]] = value
        return args, kwargs

    def ours(self, wrap=lambda t: t):
        """The arguments of a call of ours; `wrap` may change each tensor."""
        return self.arguments(mapped(self.values, lambda t: wrap(to_ours(t)), to_ours))

    def theirs(self, dtype=None, wrap=lambda t: t):
        """The arguments of a call of PyTorch's; floating tensors as `dtype` if given. `wrap` may change each tensor."""

        def convert(t):
            return wrap(t.to(dtype) if dtype and t.is_floating_point() else t.clone())

        return self.arguments(mapped(self.values, convert))


def mapped(values, tensor, other=lambda v: v):
    """`values` with `tensor` applied to PyTorch's tensors, also in lists, and `other` to the rest."""
    if isinstance(values, list):
        return [mapped(v, tensor, other) for v in values]
    return tensor(values) if isinstance(values, torch.Tensor) else other(values)


# Functions of PyTorch that take a list of tensors one by one.
VARIADIC = ("block_diag", "meshgrid")
# What PyTorch has in place only, though it has a function of this name that takes other arguments.
IN_PLACE = ("bernoulli.Tensor",)


def their_function(op):
    """PyTorch's function of the same name, or None."""
    name, scope = op["name"], op["scope"]
    if scope == "internal":
        return None
    if f"{name}.{op['overload']}" in IN_PLACE:
        return lambda input, *args, **kwargs: getattr(input.clone(), name + "_")(*args, **kwargs)
    if name.startswith("linalg_"):
        return getattr(torch.linalg, name[len("linalg_") :])
    if name in VARIADIC:
        return lambda tensors, **kwargs: getattr(torch, name)(*tensors, **kwargs)
    if scope in ("torch", "function", "torch_nn") and hasattr(torch, name):
        return getattr(torch, name)
    if scope in ("nn", "torch_nn") and hasattr(torch.nn.functional, name):
        return getattr(torch.nn.functional, name)
    if hasattr(torch.Tensor, name):
        return getattr(torch.Tensor, name)
    if hasattr(torch.Tensor, name + "_"):
        return lambda x, *args, **kwargs: getattr(x.clone(), name + "_")(*args, **kwargs)
    return None


def seeded(function, args_kwargs):
    """The result of a call with both generators freshly seeded."""
    args, kwargs = args_kwargs
    gotorch.manual_seed(7)
    torch.manual_seed(7)
    return function(*args, **kwargs)


gotorch.manual_seed(7)
# The state of the generator before a call of `seeded`.
SEEDED = gotorch.get_rng_state()


def flat(result):
    """The tensors of a result in a list."""
    if isinstance(result, (tuple, list)):
        return [t for r in result for t in flat(r)]
    return [result]


def bits(result):
    """A result as something that compares by bits."""
    return [
        (dtype_name(t.dtype), tuple(t.shape), gotorch._C._to_bytes(t)) if isinstance(t, gotorch.Tensor) else t
        for t in flat(result)
    ]


def error_in_ulps(result, reference, scale):
    """The largest difference in units in the last place; `scale`: of the largest element."""
    dtype = result.dtype
    x, y = result.double(), reference.to(dtype).double()  # overflows as the dtype does
    equal = (x == y) | (x.isnan() & y.isnan())
    y = reference.double()
    finite = y.abs().masked_fill(~y.isfinite(), 0)
    size = finite.max() if scale and finite.numel() else finite
    ulps = (x - y).abs() / (size.clamp(min=torch.finfo(dtype).tiny) * torch.finfo(dtype).eps)
    ulps = ulps.masked_fill(equal, 0.0).nan_to_num(nan=float("inf"))
    return ulps.max().item() if ulps.numel() else 0.0
