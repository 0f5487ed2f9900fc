"""Max pooling undone: each maximum goes back to its place, all else is zero."""

import gotorch
from gotorch.nn import functional
from gotorch.nn.module import Module

__all__ = ["MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d"]


def _each(value, dims):
    """One integer stands for all dimensions."""
    return (value,) * dims if isinstance(value, int) else tuple(value)


def _output_size(input, dims, kernel_size, stride, padding, output_size):
    """The given size, checked, or that of the smallest input that pools to this one."""
    sizes = input.shape[-dims:]
    default = [(n - 1) * s + k - 2 * p for n, k, s, p in zip(sizes, kernel_size, stride, padding)]
    if output_size is None:
        return default
    output_size = list(output_size)
    if len(output_size) == dims + 2:
        output_size = output_size[2:]
    if len(output_size) != dims:
        raise ValueError(
            f"output_size should be a sequence containing {dims} or {dims + 2} elements, "
            f"but it has a length of '{len(output_size)}'"
        )
    for d, (size, usual, step) in enumerate(zip(output_size, default, stride)):
        if not usual - step < size < usual + step:
            raise ValueError(
                f'invalid output_size "{tuple(output_size)}" (dim {d} must be between {usual - step} and {usual + step})'
            )
    return output_size


def _max_unpooling(dims):
    name = f"max_unpool{dims}d"

    def max_unpool(input, indices, kernel_size, stride=None, padding=0, output_size=None):
        kernel_size = _each(kernel_size, dims)
        stride = kernel_size if stride is None else _each(stride, dims)
        size = _output_size(input, dims, kernel_size, stride, _each(padding, dims), output_size)
        if indices.dtype is not gotorch.int64:
            raise RuntimeError(f"{name}: elements in indices should be type int64 but got: {indices.dtype}")
        if input.dim() not in (dims + 1, dims + 2):
            raise RuntimeError(f"{name}: expected {dims + 1} or {dims + 2} dimensions, got shape {tuple(input.shape)}")
        if indices.shape != input.shape:
            raise RuntimeError(
                f"{name}: Expected shape of indices to be same as that of the input tensor ({list(input.shape)}) "
                f"but got indices tensor with shape: {list(indices.shape)}"
            )
        place = indices.flatten(-dims)
        out = gotorch.zeros((*place.shape[:-1], gotorch.Size(size).numel()), dtype=input.dtype)
        if place.numel() and (int(place.min()) < 0 or int(place.max()) >= out.size(-1)):
            raise RuntimeError(f"{name}: Found an invalid max index (output volumes are of size {tuple(size)})")
        return out.scatter(-1, place, input.flatten(-dims)).view(*place.shape[:-1], *size)

    max_unpool.__name__ = max_unpool.__qualname__ = name
    max_unpool.__doc__ = (
        "The input's values at `indices`, as max pooling returned them, of an output that is else zero."
    )
    return max_unpool


class _MaxUnpool(Module):
    _dims = None  # of each subclass

    def __init__(self, kernel_size, stride=None, padding=0):
        super().__init__()
        self.kernel_size = _each(kernel_size, self._dims)
        self.stride = _each(kernel_size if stride is None else stride, self._dims)
        self.padding = _each(padding, self._dims)

    def extra_repr(self):
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"

    def forward(self, input, indices, output_size=None):
        function = getattr(functional, f"max_unpool{self._dims}d")
        return function(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool1d(_MaxUnpool):
    """Max pooling of [n, c, l] undone."""

    _dims = 1


class MaxUnpool2d(_MaxUnpool):
    """Max pooling of [n, c, h, w] undone."""

    _dims = 2


class MaxUnpool3d(_MaxUnpool):
    """Max pooling of [n, c, d, h, w] undone."""

    _dims = 3


for _dims in (1, 2, 3):
    setattr(functional, f"max_unpool{_dims}d", _max_unpooling(_dims))
