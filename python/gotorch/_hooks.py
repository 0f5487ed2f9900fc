"""Handles that remove what they stand for."""

import weakref

from gotorch import _C


class TensorHook:
    """What Tensor.register_hook returns: remove() takes the hook away; also a context."""

    def __init__(self, tensor, number, remove=_C._remove_hook):
        self._tensor, self.id, self._remove = weakref.ref(tensor), number, remove

    def remove(self):
        tensor = self._tensor()
        if tensor is not None:
            self._remove(tensor, self.id)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.remove()
