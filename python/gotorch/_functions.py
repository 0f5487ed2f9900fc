"""Functions of the top level that are plain Python."""

from gotorch import _C

__all__ = [
    "are_deterministic_algorithms_enabled",
    "as_tensor",
    "asarray",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "block_diag",
    "broadcast_shapes",
    "broadcast_tensors",
    "can_cast",
    "cartesian_prod",
    "compile",
    "einsum",
    "from_dlpack",
    "get_device",
    "get_float32_matmul_precision",
    "get_num_interop_threads",
    "is_complex",
    "is_floating_point",
    "is_nonzero",
    "is_storage",
    "is_tensor",
    "meshgrid",
    "normal",
    "numel",
    "promote_types",
    "result_type",
    "set_default_device",
    "set_default_tensor_type",
    "set_float32_matmul_precision",
    "set_num_interop_threads",
    "tensordot",
    "typename",
    "unique",
    "unique_consecutive",
    "unravel_index",
    "use_deterministic_algorithms",
]

as_tensor = _C.as_tensor


def is_tensor(obj):
    return isinstance(obj, _C.Tensor)


def is_storage(obj):
    return False


def is_floating_point(input):
    return input.is_floating_point()


def is_complex(input):
    return False


def is_nonzero(input):
    """The truth of a tensor of one element."""
    if input.numel() != 1:
        raise RuntimeError(f"is_nonzero: the truth of shape {tuple(input.shape)} is ambiguous")
    return bool(input)


def numel(input):
    return input.numel()


def get_device(input):
    return -1


def promote_types(type1, type2):
    """The smallest dtype that holds the values of both."""
    return _C._promote_types(type1, type2)


def can_cast(from_, to):
    """True if an operation may write results of dtype `from_` to a tensor of dtype `to`."""
    return _C._can_cast(from_, to)


def result_type(tensor1, tensor2):
    """The dtype of an arithmetic operation on the two: tensors or numbers."""
    return _C._result_type(tensor1, tensor2)


def asarray(obj, *, dtype=None, device=None, copy=None, requires_grad=False):
    """`obj` as a tensor, on the same memory where that is possible (copy=None or False)."""
    if isinstance(obj, (bytes, bytearray, memoryview)):
        result = _C.frombuffer(obj, dtype=dtype or _C.get_default_dtype())
    else:
        result = _C.as_tensor(obj, dtype=dtype, device=device)
        shares = result is obj or isinstance(obj, _C.Tensor) or hasattr(obj, "__array_interface__")
        if copy is False and not shares:
            raise ValueError("asarray: this object cannot become a tensor without a copy")
    if copy:
        result = result.detach().clone()
    elif requires_grad and isinstance(obj, _C.Tensor):
        result = result.detach()
    return result.requires_grad_() if requires_grad else result


def broadcast_shapes(*shapes):
    """The shape that all the given ones broadcast to."""
    result = _C.Size([])
    for shape in shapes:
        result = _C._broadcast_shapes(result, (shape,) if isinstance(shape, int) else tuple(shape))
    return result


def _each(*tensors):
    """The tensors of f(a, b) or f([a, b])."""
    return tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else tensors


def broadcast_tensors(*tensors):
    """Views of the tensors, expanded to the shape that all broadcast to."""
    tensors = _each(*tensors)
    shape = broadcast_shapes(*(t.shape for t in tensors))
    return tuple(t.expand(shape) for t in tensors)


def _with_dims(reshape):
    def each(*tensors):
        if len(tensors) == 1 and isinstance(tensors[0], _C.Tensor):
            return reshape(tensors[0])
        return tuple(reshape(t) for t in _each(*tensors))

    return each


atleast_1d = _with_dims(lambda t: t.reshape(1) if t.dim() == 0 else t)
atleast_2d = _with_dims(lambda t: t.reshape(1, -1) if t.dim() < 2 else t)
atleast_3d = _with_dims(lambda t: t.reshape(1, -1, 1) if t.dim() < 2 else t.unsqueeze(-1) if t.dim() == 2 else t)


def block_diag(*tensors):
    """The matrices one below the other along the diagonal, zeros around them; numbers and vectors are matrices of one row."""
    return _C.block_diag(_each(*tensors))


def meshgrid(*tensors, indexing=None):
    """The coordinates of a grid, one tensor for each vector, which varies along its dimension: "ij" (the default), or with the first
    two exchanged, "xy"."""
    return _C.meshgrid(_each(*tensors), indexing=indexing)


def cartesian_prod(*tensors):
    """All ways to take one element of each vector, one way a row; of one vector, itself."""
    tensors = _each(*tensors)
    if len(tensors) == 1:
        return tensors[0]
    return _C.stack([grid.reshape(-1) for grid in meshgrid(*tensors, indexing="ij")], dim=1)


def _letter(index):
    if not 0 <= index < 52:
        raise ValueError(f"einsum: a subscript {index} is not in [0, 52)")
    return chr(ord("A") + index) if index < 26 else chr(ord("a") + index - 26)


def _equation(args):
    """einsum(a, [0, 1], b, [1, 2], [0, 2]) as a string and operands."""

    def subscripts(labels):
        return "".join("..." if label is Ellipsis else _letter(label) for label in labels)

    pairs = len(args) // 2
    equation = ",".join(subscripts(labels) for labels in args[1 : 2 * pairs : 2])
    if len(args) % 2:
        equation += "->" + subscripts(args[-1])
    return equation, args[: 2 * pairs : 2]


def einsum(equation, *operands):
    """Sums of products by Einstein's convention: `einsum("ij,jk->ik", a, b)` is a matrix product.

    Letters name dimensions; those that the part after "->" lacks are summed; "..." stands for any number of
    dimensions, which broadcast. Operands are contracted from left to right.
    """
    if not isinstance(equation, str):
        equation, operands = _equation((equation, *operands))
    return _C.internal.einsum(equation, list(_each(*operands)))


def tensordot(a, b, dims=2, out=None):
    """Sum of products over dimensions: the last `dims` of `a` with the first of `b`, or two lists of dimensions."""
    if isinstance(dims, _C.Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot: expects dims >= 0, but got dims={dims}")
        if dims > min(a.dim(), b.dim()):
            raise RuntimeError(f"tensordot: dims={dims} is more than the tensors have: {a.dim()} and {b.dim()}")
        dims = list(range(a.dim() - dims, a.dim())), list(range(dims))
    of_a, of_b = ([d] if isinstance(d, int) else list(d) for d in dims)
    return _C.internal.tensordot(a, b, of_a, of_b, out=out)


def normal(mean, std=1.0, size=None, *, generator=None, dtype=None, out=None, requires_grad=False):
    """Normal numbers: one for each element of the tensors `mean` and `std`, or `size` of them for two numbers."""
    tensors = [t for t in (mean, std) if isinstance(t, _C.Tensor)]
    if not tensors:
        if size is None:
            raise TypeError("normal() needs size where mean and std are numbers")
        result = _C.empty(size, dtype=dtype).normal_(mean, std, generator=generator)
    else:
        first = tensors[0]
        result = _C.empty(broadcast_shapes(*(t.shape for t in tensors)), dtype=first.dtype)
        if isinstance(std, _C.Tensor):
            if bool((std < 0).any()):
                raise RuntimeError("normal expects all elements of std >= 0.0")
            result.normal_(generator=generator).mul_(std.detach()).add_(mean)
        else:
            result.normal_(0, std, generator=generator).add_(mean.detach())
    if out is not None:
        result = out.copy_(result)
    return result.requires_grad_() if requires_grad else result


def _chosen(results, return_inverse, return_counts):
    output, inverse, counts = results
    chosen = [output] + [inverse] * bool(return_inverse) + [counts] * bool(return_counts)
    return chosen[0] if len(chosen) == 1 else tuple(chosen)


def unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None):
    """The distinct elements in ascending order, or along `dim` the distinct slices.

    return_inverse: also, for each element, where it is in the result. return_counts: also how often each occurs.
    """
    if dim is None:
        results = _C.internal._unique2(input, sorted, return_inverse, return_counts)
    else:
        results = _C.internal._unique_dim(input, dim, False, return_inverse, return_counts)
    return _chosen(results, return_inverse, return_counts)


def unique_consecutive(input, return_inverse=False, return_counts=False, dim=None):
    """The elements, or slices along `dim`, with runs of equal ones as one; see unique."""
    if dim is None:
        results = _C.internal._unique_consecutive(input, return_inverse, return_counts)
    else:
        results = _C.internal._unique_dim(input, dim, True, return_inverse, return_counts)
    return _chosen(results, return_inverse, return_counts)


def unravel_index(indices, shape):
    """The coordinates, one tensor a dimension, of places in the flattened order of `shape`."""
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    if indices.is_floating_point() or indices.dtype is _C.bool:
        raise TypeError(f"expected 'indices' to be integer dtype, but got {indices.dtype}")
    if any(size < 0 for size in shape):
        raise ValueError(f"'shape' cannot have negative values, but got {shape}")
    coordinates = []
    for size in reversed(shape):
        coordinates.append(indices.remainder(size))
        indices = indices.div(size, rounding_mode="floor")
    return tuple(reversed(coordinates))


def typename(obj):
    """The name of a tensor's legacy type, or of an object's class."""
    if isinstance(obj, _C.Tensor):
        return obj.type()
    kind = obj if isinstance(obj, type) else type(obj)
    return f"{kind.__module__}.{kind.__qualname__}"


def compile(model=None, **options):
    """Returns the function or module itself: pointwise operations are fused without compiling."""
    return (lambda m: m) if model is None else model


def use_deterministic_algorithms(mode, *, warn_only=False):
    """Does nothing: results never depend on the number of threads or on timing."""


def are_deterministic_algorithms_enabled():
    return True


def set_float32_matmul_precision(precision):
    """Accepts PyTorch's three settings; products are always computed in full precision."""
    if precision not in ("highest", "high", "medium"):
        raise RuntimeError(f"set_float32_matmul_precision: {precision!r} is none of 'highest', 'high', 'medium'")


def get_float32_matmul_precision():
    return "highest"


def set_num_interop_threads(count):
    """Does nothing: there is one pool of threads, see set_num_threads."""


def get_num_interop_threads():
    return 1


def set_default_device(device):
    """Only "cpu" is there."""
    _C._check_device(device)


def set_default_tensor_type(t):
    """Sets the default dtype by a legacy type: torch.DoubleTensor."""
    from gotorch._legacy import dtype_of

    _C.set_default_dtype(dtype_of(t))


def from_dlpack(ext_tensor):
    """A tensor on the memory of another library's array, through the DLPack protocol."""
    device = ext_tensor.__dlpack_device__() if hasattr(ext_tensor, "__dlpack_device__") else (1, 0)
    if device[0] != 1:
        raise RuntimeError(f"from_dlpack: the array is on device type {device[0]}, not on the CPU")
    if not hasattr(ext_tensor, "__dlpack__"):
        return _C._from_dlpack(ext_tensor)
    try:
        capsule = ext_tensor.__dlpack__(max_version=(1, 0))
    except TypeError:
        capsule = ext_tensor.__dlpack__()
    return _C._from_dlpack(capsule)
