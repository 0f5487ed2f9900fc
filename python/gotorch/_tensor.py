"""Methods of Tensor that are plain Python. gotorch/__init__.py attaches them to the C++ type."""

import copy

from gotorch import _C, _functions
from gotorch._hooks import TensorHook
from gotorch._tensor_str import tensor_str

Tensor = _C.Tensor
Tensor._make_subclass = staticmethod(_C._make_subclass)


def _method(f):
    setattr(Tensor, f.__name__, f)
    return f


@_method
def __repr__(self, *, tensor_contents=None):
    return tensor_str(self)


@_method
def __format__(self, spec):
    if self.dim() == 0 and spec != "":
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
def __array__(self, dtype=None, copy=None):
    import numpy

    array = numpy.asarray(memoryview(self))
    wanted = array.dtype if dtype is None else numpy.dtype(dtype)
    if wanted != array.dtype:
        if copy is False:
            raise ValueError(f"__array__: {array.dtype} as {wanted} needs a copy")
        return array.astype(wanted)
    return array.copy() if copy else array


@_method
def __array_wrap__(self, array, context=None, return_scalar=False):
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
def __reduce_ex__(self, protocol):
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
def __copy__(self):
    t = Tensor._make_subclass(type(self), self) if type(self) is not Tensor else self.detach()
    t.requires_grad = self.requires_grad
    t.__dict__.update(self.__dict__)
    return t


@_method
def __deepcopy__(self, memo):
    if not self.is_leaf:
        raise RuntimeError(
            "deepcopy: only tensors that the user made (leaves of the graph) can be deep-copied; use .detach().clone()"
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


@_method
def requires_grad_(self, requires_grad=True):
    """Asks backward for a gradient of this tensor, or no longer; returns the tensor."""
    self.requires_grad = requires_grad
    return self


@_method
def backward(self, gradient=None, retain_graph=None, create_graph=False, inputs=None):
    """Adds to `.grad` of the leaves the gradients of this tensor; see torch.autograd.backward."""
    from gotorch import autograd

    autograd.backward(self, gradient, retain_graph, create_graph, inputs=inputs)


@_method
def detach_(self):
    """Forgets the history of this tensor; returns the tensor."""
    _C._detach_inplace(self)
    return self


@_method
def retain_grad(self):
    """Keeps the gradient of this result in `.grad`, as for leaves."""
    _C._retain_grad(self)


@_method
def __iter__(self):
    if self.dim() == 0:
        raise TypeError("iteration over a 0-d tensor")
    return iter(self.unbind(0))


@_method
def register_hook(self, hook):
    """Calls hook(grad) when the gradient of this tensor is known; what it returns replaces it."""
    return TensorHook(self, _C._register_hook(self, hook))


@_method
def register_post_accumulate_grad_hook(self, hook):
    """Calls hook(self) each time when backward has completed the gradient of this leaf."""
    return TensorHook(self, _C._register_after_hook(self, hook), _C._remove_after_hook)


Tensor.retains_grad = property(_C._retains_grad)
Tensor.output_nr = property(_C._output_nr)


Tensor.T = property(_C.internal.numpy_T)
Tensor.mT = property(_C.internal.mT)
Tensor.H = property(_C.adjoint)
Tensor.mH = property(_C.adjoint)
Tensor.layout = "torch.strided"
Tensor.names = property(lambda self: (None,) * self.dim())


Tensor.is_cpu = True
Tensor.is_mps = Tensor.is_xpu = Tensor.is_vulkan = Tensor.is_ipu = Tensor.is_mtia = False


@_method
def unique(self, sorted=True, return_inverse=False, return_counts=False, dim=None):
    """torch.unique of this tensor."""
    return _functions.unique(self, sorted, return_inverse, return_counts, dim)


@_method
def unique_consecutive(self, return_inverse=False, return_counts=False, dim=None):
    """torch.unique_consecutive of this tensor."""
    return _functions.unique_consecutive(self, return_inverse, return_counts, dim)


def _same_place(self, *args, **kwargs):
    """This tensor: it is on the CPU, where all tensors are."""
    return self


def _no_device(self, *args, **kwargs):
    raise RuntimeError("GoTorch computes on the CPU only: there is no such device")


Tensor.cpu = Tensor.share_memory_ = Tensor.resolve_conj = Tensor.resolve_neg = _same_place
Tensor.cuda = Tensor.mps = Tensor.xpu = _no_device


@_method
def pin_memory(self, device=None):
    raise RuntimeError("pin_memory: there is no pinned memory on the CPU")


def _new(name):
    create = getattr(_C, name)

    def method(self, *args, dtype=None, **kwargs):
        return create(*args, dtype=self.dtype if dtype is None else dtype, **kwargs)

    method.__name__ = method.__qualname__ = "new_" + name
    method.__doc__ = f"torch.{name} with this tensor's dtype."
    return method


for _name in ("empty", "full", "ones", "tensor", "zeros"):
    setattr(Tensor, "new_" + _name, _new(_name))


@_method
def new(self, *args, device=None):
    """A tensor of this tensor's dtype from sizes or data."""
    return _C._legacy_tensor(*args, dtype=self.dtype)


@_method
def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
    if self.requires_grad:
        raise BufferError("DLPack knows no gradients: export .detach() of this tensor")
    if stream not in (None, -1):
        raise BufferError(f"__dlpack__: the CPU has no streams, got {stream}")
    if dl_device not in (None, (1, 0)):
        raise BufferError(f"__dlpack__: cannot export to device {dl_device}, only to (1, 0)")
    source = self.clone() if copy else self
    return _C._to_dlpack(source, bool(max_version and max_version[0] >= 1))


@_method
def __dlpack_device__(self):
    return (1, 0)
