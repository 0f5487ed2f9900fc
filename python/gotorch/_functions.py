"""Functions of the top level that are plain Python."""

from gotorch import _C

__all__ = [
    "are_deterministic_algorithms_enabled",
    "as_tensor",
    "asarray",
    "broadcast_shapes",
    "can_cast",
    "compile",
    "from_dlpack",
    "get_device",
    "get_float32_matmul_precision",
    "get_num_interop_threads",
    "is_complex",
    "is_floating_point",
    "is_nonzero",
    "is_storage",
    "is_tensor",
    "numel",
    "promote_types",
    "result_type",
    "set_default_device",
    "set_default_tensor_type",
    "set_float32_matmul_precision",
    "set_num_interop_threads",
    "typename",
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
