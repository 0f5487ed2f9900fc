"""torch.device: only the CPU computes; others can be named, for scripts that ask."""

from gotorch import _C


class device:  # noqa: N801 (PyTorch's name)
    """A device: `device("cpu")`, `device("cuda", 0)`. Only "cpu" can hold tensors."""

    __slots__ = ("index", "type")

    def __new__(cls, type="cpu", index=None):
        if isinstance(type, device):
            return type
        if isinstance(type, int):
            type, index = "cuda", type
        name, _, number = type.partition(":")
        if name not in ("cpu", "cuda", "mps", "xpu", "meta"):
            raise RuntimeError(f"device: no device is called '{name}'; GoTorch computes on 'cpu'")
        if number:
            if index is not None or not number.isdigit():
                raise RuntimeError(f"device: invalid device '{type}' with index {index}")
            index = int(number)
        self = object.__new__(cls)
        object.__setattr__(self, "type", name)
        object.__setattr__(self, "index", index)
        return self

    def __setattr__(self, name, value):
        raise AttributeError(f"device: attribute '{name}' cannot be changed")

    def __eq__(self, other):
        if not isinstance(other, device):
            return NotImplemented
        return self.type == other.type and self.index == other.index

    def __hash__(self):
        return hash((self.type, self.index))

    def __str__(self):
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self):
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type='{self.type}'{index})"

    def __reduce__(self):
        return device, (self.type, self.index)

    def __enter__(self):
        _C._check_device(self)
        return self

    def __exit__(self, *exc):
        return None


_C._set_cpu_device(device("cpu"))
