"""The legacy tensor types: torch.FloatTensor and its like, and Tensor.type()."""

from gotorch import _C

_NAMES = {
    "FloatTensor": _C.float32,
    "DoubleTensor": _C.float64,
    "HalfTensor": _C.float16,
    "BFloat16Tensor": _C.bfloat16,
    "LongTensor": _C.int64,
    "IntTensor": _C.int32,
    "ShortTensor": _C.int16,
    "CharTensor": _C.int8,
    "ByteTensor": _C.uint8,
    "BoolTensor": _C.bool,
}


class _LegacyType(type):
    def __call__(cls, *args, device=None):
        _C._check_device(device)
        return _C._legacy_tensor(*args, dtype=cls.dtype)

    def __instancecheck__(cls, other):
        return isinstance(other, _C.Tensor) and other.dtype is cls.dtype

    def __str__(cls):
        return f"torch.{cls.__name__}"

    __repr__ = __str__


types = {name: _LegacyType(name, (), {"dtype": dtype, "__module__": "gotorch"}) for name, dtype in _NAMES.items()}
_BY_TEXT = {f"torch.{name}": dtype for name, dtype in _NAMES.items()}
_TEXT_OF = {dtype: text for text, dtype in _BY_TEXT.items()}


def dtype_of(t):
    """The dtype that a legacy type, its name, or a dtype stands for."""
    if isinstance(t, _C.dtype):
        return t
    if isinstance(t, _LegacyType):
        return t.dtype
    if t is _C.Tensor or t == "torch.Tensor":
        return _C.get_default_dtype()
    if t in _BY_TEXT:
        return _BY_TEXT[t]
    raise ValueError(f"invalid type: {t!r}")


def type_method(self, dtype=None, non_blocking=False):
    """Without arguments the name of the legacy type, with one the tensor converted to it."""
    return _TEXT_OF[self.dtype] if dtype is None else self.to(dtype_of(dtype))


_C.Tensor.type = type_method
