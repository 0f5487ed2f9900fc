"""Tensors that a module registers as its own."""

from collections import OrderedDict

import gotorch


class Parameter(gotorch.Tensor):
    """A tensor that becomes a parameter of the module it is assigned to. Requires a gradient unless told otherwise."""

    def __new__(cls, data=None, requires_grad=True):
        if data is None:
            data = gotorch.empty(0)
        return gotorch.Tensor._make_subclass(cls, data.detach(), requires_grad)

    def __deepcopy__(self, memo):
        if id(self) in memo:
            return memo[id(self)]
        result = type(self)(self.detach().clone(), self.requires_grad)
        memo[id(self)] = result
        return result

    def __repr__(self):
        return "Parameter containing:\n" + super().__repr__()

    def __reduce_ex__(self, protocol):
        return _rebuild_parameter, (self.detach(), self.requires_grad, OrderedDict())


def _rebuild_parameter(data, requires_grad, backward_hooks):
    return Parameter(data, requires_grad)


class Buffer:
    """Marks a tensor that `Module.__setattr__` registers as a buffer: `self.mean = Buffer(tensor, persistent=False)`."""

    def __init__(self, data=None, *, persistent=True):
        self.data, self.persistent = data, persistent
