"""Methods of Tensor that are plain Python. gotorch/__init__.py attaches them to the C++ type."""

import copy

from gotorch import _C
from gotorch._tensor_str import tensor_str

Tensor = _C.Tensor


def _method(f):
    setattr(Tensor, f.__name__, f)
    return f


@_method
def __repr__(self, *, tensor_contents=None):  # noqa: N807
    return tensor_str(self)


@_method
def __format__(self, spec):  # noqa: N807
    if self.dim() == 0 and not spec == "":
        return self.item().__format__(spec)
    return object.__format__(self, spec)


@_method
def numpy(self, *, force=False):
    """This tensor as a NumPy array on the same memory.

    A tensor that requires grad is an error, unless `force`.
    """
    import numpy

    return numpy.asarray(self.detach() if force else self)


@_method
def __array__(self, dtype=None, copy=None):  # noqa: N807
    import numpy

    array = numpy.asarray(memoryview(self))
    wanted = array.dtype if dtype is None else numpy.dtype(dtype)
    if wanted != array.dtype:
        if copy is False:
            raise ValueError(f"__array__: {array.dtype} as {wanted} needs a copy")
        return array.astype(wanted)
    return array.copy() if copy else array


@_method
def __array_wrap__(self, array, context=None, return_scalar=False):  # noqa: N807
    if array.dtype == bool:
        array = array.astype("uint8")
        return _C.from_numpy(array).to(_C.bool)
    return _C.from_numpy(array)


Tensor.__array_priority__ = 1000


def _rebuild(cls, content, dtype, shape, requires_grad, attributes):
    t = _C._from_bytes(content, dtype, shape)
    if cls is not Tensor:
        t = Tensor._make_subclass(cls, t)
    t.requires_grad = requires_grad
    t.__dict__.update(attributes)
    return t


@_method
def __reduce_ex__(self, protocol):  # noqa: N807
    if not self.is_leaf:
        raise RuntimeError("pickle: this tensor is a result with a history; pickle .detach() of it")
    content = _C._to_bytes(self)
    attributes = dict(self.__dict__)
    return _rebuild, (
        type(self),
        content,
        self.dtype,
        tuple(self.shape),
        self.requires_grad,
        attributes,
    )


@_method
def __deepcopy__(self, memo):  # noqa: N807
    if not self.is_leaf:
        raise RuntimeError(
            "deepcopy: only tensors that the user made (leaves of the graph) can be deep-copied; "
            "use .detach().clone()"
        )
    if id(self) in memo:
        return memo[id(self)]
    t = _C._from_bytes(_C._to_bytes(self), self.dtype, self.shape)
    if type(self) is not Tensor:
        t = Tensor._make_subclass(type(self), t)
    memo[id(self)] = t
    t.requires_grad = self.requires_grad
    if self.grad is not None:
        t.grad = copy.deepcopy(self.grad, memo)
    for key, value in self.__dict__.items():
        t.__dict__[key] = copy.deepcopy(value, memo)
    return t
