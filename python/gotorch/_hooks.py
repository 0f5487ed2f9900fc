"""Handles that remove what they stand for."""

import weakref

from gotorch import _C


class TensorHook:
    """What Tensor.register_hook returns: remove() takes the hook away; also a context."""

    def __init__(self, tensor, number):
        self._tensor, self.id = weakref.ref(tensor), number

    def remove(self):
        tensor = self._tensor()
        if tensor is not None:
            _C._remove_hook(tensor, self.id)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.remove()
