"""The pickle inside a checkpoint: tensors as PyTorch's rebuild calls on storages that lie beside it."""

import pickle
from collections import OrderedDict

import gotorch
from gotorch import _C
from gotorch.nn.parameter import Parameter

STORAGE_OF = {
    gotorch.float64: "DoubleStorage",
    gotorch.float32: "FloatStorage",
    gotorch.float16: "HalfStorage",
    gotorch.bfloat16: "BFloat16Storage",
    gotorch.int64: "LongStorage",
    gotorch.int32: "IntStorage",
    gotorch.int16: "ShortStorage",
    gotorch.int8: "CharStorage",
    gotorch.uint8: "ByteStorage",
    gotorch.bool: "BoolStorage",
}


class _Global:
    """A name that the pickle refers to; the object behind it need not exist here."""

    def __init__(self, module, name):
        self.module, self.name = module, name

    def __call__(self, *args):
        raise TypeError("a name of a checkpoint is not callable")


class _Storage:
    """The memory of one or more tensors of a dtype: its key in the archive and its bytes."""

    def __init__(self, key, dtype, content):
        self.key, self.dtype, self.content = key, dtype, content


_REBUILD_TENSOR = _Global("torch._utils", "_rebuild_tensor_v2")
_REBUILD_PARAMETER = _Global("torch._utils", "_rebuild_parameter")
_SIZE = _Global("torch", "Size")
_DEVICE = _Global("torch", "device")
_DTYPES = {dtype: _Global("torch", str(dtype).split(".")[1]) for dtype in STORAGE_OF}
_STORAGES = {dtype: _Global("torch", name) for dtype, name in STORAGE_OF.items()}


class CheckpointPickler(pickle._Pickler):
    """Collects the storages, in `storages`, while it writes. Tensors that share memory still do when they are loaded."""

    def __init__(self, file, protocol):
        super().__init__(file, protocol)
        self.storages = []
        self._by_memory = {}

    def save(self, obj, save_persistent_id=True):
        if type(obj) is gotorch.dtype:
            obj = _DTYPES[obj]
        if type(obj) is _Global:
            memo = self.memo.get(id(obj))
            return self.write(self.get(memo[0])) if memo else self._save_name(obj)
        return super().save(obj, save_persistent_id)

    def _save_name(self, obj):
        # The old opcode, which every protocol reads: names of checkpoints are ASCII.
        self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode("ascii"))
        self.memoize(obj)

    def persistent_id(self, obj):
        if type(obj) is _Storage:
            numel = len(obj.content) // obj.dtype.itemsize
            return ("storage", _STORAGES[obj.dtype], obj.key, "cpu", numel)
        return None

    def reducer_override(self, obj):
        if isinstance(obj, Parameter):
            return _REBUILD_PARAMETER, (obj.detach(), obj.requires_grad, OrderedDict())
        if isinstance(obj, gotorch.Tensor):
            storage = self._storage_of(obj)
            shape, stride = tuple(obj.shape), tuple(obj.stride())
            return _REBUILD_TENSOR, (
                storage, obj.storage_offset(), shape, stride, obj.requires_grad, OrderedDict(),
            )  # fmt: skip
        if isinstance(obj, gotorch.Size):
            return _SIZE, (tuple(obj),)
        if isinstance(obj, gotorch.device):
            return _DEVICE, (str(obj),)
        return NotImplemented

    def _storage_of(self, t):
        memory, content = _C._storage_of(t.detach())
        key = (memory, t.dtype)
        if key not in self._by_memory:
            self._by_memory[key] = _Storage(str(len(self.storages)), t.dtype, content)
            self.storages.append(self._by_memory[key])
        return self._by_memory[key]
