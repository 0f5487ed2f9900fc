"""finfo and iinfo: the limits of the dtypes."""

from gotorch import _C

# (bits, eps, max, smallest normal, decimal digits) of each floating dtype.
_FLOATS = {
    _C.float16: (16, 2.0**-10, 65504.0, 2.0**-14, 1e-3),
    _C.bfloat16: (16, 2.0**-7, (2 - 2.0**-7) * 2.0**127, 2.0**-126, 1e-2),
    _C.float32: (32, 2.0**-23, (2 - 2.0**-23) * 2.0**127, 2.0**-126, 1e-6),
    _C.float64: (64, 2.0**-52, (2 - 2.0**-52) * 2.0**1023, 2.0**-1022, 1e-15),
}


class finfo:  # noqa: N801 (PyTorch's name)
    """The limits of a floating dtype: `finfo(torch.float32).max`."""

    def __init__(self, type=None):
        dtype = _C.get_default_dtype() if type is None else type
        if dtype not in _FLOATS:
            raise TypeError(f"torch.finfo() takes a floating dtype, got {dtype}; see torch.iinfo")
        self.bits, self.eps, self.max, self.tiny, self.resolution = _FLOATS[dtype]
        self.min = -self.max
        self.smallest_normal = self.tiny
        self.dtype = str(dtype)[len("torch.") :]

    def __repr__(self):
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, "
            f"eps={self.eps:g}, smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, "
            f"dtype={self.dtype})"
        )

    def __eq__(self, other):
        return isinstance(other, finfo) and self.dtype == other.dtype

    def __hash__(self):
        return hash(self.dtype)


class iinfo:  # noqa: N801 (PyTorch's name)
    """The limits of an integer dtype: `iinfo(torch.int64).max`."""

    def __init__(self, type):
        if type.is_floating_point or type is _C.bool:
            raise TypeError(f"torch.iinfo() takes an integer dtype, got {type}; see torch.finfo")
        self.bits = type.itemsize * 8
        self.max = 2 ** (self.bits - type.is_signed) - 1
        self.min = -self.max - 1 if type.is_signed else 0
        self.dtype = str(type)[len("torch.") :]

    def __repr__(self):
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"

    def __eq__(self, other):
        return isinstance(other, iinfo) and self.dtype == other.dtype

    def __hash__(self):
        return hash(self.dtype)
