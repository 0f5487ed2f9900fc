"""Checkpoints in PyTorch's zip format: files go both ways.

Saving is atomic: the file under the given name is the old one or the new one, whatever happens. Loading executes nothing:
the pickle inside may build containers, numbers, strings and tensors, and nothing else.
"""

import io
import os
import pickle
import tempfile
import zipfile
from collections import OrderedDict

import gotorch
from gotorch.nn.parameter import Parameter

_STORAGES = {
    "DoubleStorage": gotorch.float64,
    "FloatStorage": gotorch.float32,
    "HalfStorage": gotorch.float16,
    "BFloat16Storage": gotorch.bfloat16,
    "LongStorage": gotorch.int64,
    "IntStorage": gotorch.int32,
    "ShortStorage": gotorch.int16,
    "CharStorage": gotorch.int8,
    "ByteStorage": gotorch.uint8,
    "BoolStorage": gotorch.bool,
}
_STORAGE_OF = {dtype: name for name, dtype in _STORAGES.items()}


class _Global:
    """A name that the pickle refers to; the class behind it need not exist here."""

    def __init__(self, module, name):
        self.module, self.name = module, name

    def __call__(self, *args):
        raise TypeError("a name of a checkpoint is not callable")


_REBUILD_TENSOR = _Global("torch._utils", "_rebuild_tensor_v2")
_REBUILD_PARAMETER = _Global("torch._utils", "_rebuild_parameter")


class _Storage:
    """Stands for a storage inside the pickle: its key in the archive, its dtype and its number of elements."""

    def __init__(self, key, dtype, numel):
        self.key, self.dtype, self.numel = key, dtype, numel


class _Pickler(pickle._Pickler):
    """Writes tensors as PyTorch does: a rebuild call on a storage that lies beside the pickle."""

    def __init__(self, file):
        super().__init__(file, protocol=2)
        self.dispatch_table = {}
        self.records = []  # (key, contiguous tensor)
        self.keys = {}

    def save_global(self, obj, name=None):
        if isinstance(obj, _Global):
            self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
            self.memoize(obj)
        else:
            super().save_global(obj, name)

    def persistent_id(self, obj):
        if isinstance(obj, _Storage):
            return ("storage", _Global("torch", _STORAGE_OF[obj.dtype]), obj.key, "cpu", obj.numel)
        return None

    def reducer_override(self, obj):
        if isinstance(obj, Parameter):
            return _REBUILD_PARAMETER, (obj.detach(), obj.requires_grad, OrderedDict())
        if isinstance(obj, gotorch.Tensor):
            return self._reduce_tensor(obj)
        return NotImplemented

    def _reduce_tensor(self, t):
        # Tensors that are the same elements share a record; a view is saved as what it shows.
        key = (t.data_ptr(), t.dtype, tuple(t.shape), tuple(t.stride()))
        if key not in self.keys:
            self.keys[key] = _Storage(str(len(self.records)), t.dtype, t.numel())
            self.records.append(t.detach().contiguous())
        stride, step = [], 1
        for size in reversed(t.shape):
            stride.insert(0, step)
            step *= size
        args = (self.keys[key], 0, tuple(t.shape), tuple(stride), t.requires_grad, OrderedDict())
        return _REBUILD_TENSOR, args

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, _Global):
            memo = self.memo.get(id(obj))
            return self.write(self.get(memo[0])) if memo else self.save_global(obj)
        return super().save(obj, save_persistent_id)


def _raw(t):
    """The memory of a contiguous tensor."""
    flat = t.reshape(-1)
    return flat.view(gotorch.uint8) if flat.dtype != gotorch.uint8 else flat


def _write_archive(obj, file):
    data = io.BytesIO()
    pickler = _Pickler(data)
    pickler.dump(obj)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:

        def add(name, content):
            archive.writestr(zipfile.ZipInfo("archive/" + name, (1980, 1, 1, 0, 0, 0)), content)

        add("data.pkl", data.getvalue())
        add("byteorder", "little")
        for i, t in enumerate(pickler.records):
            add(f"data/{i}", memoryview(_raw(t)).tobytes() if t.numel() else b"")
        add("version", "3\n")


def save(obj, f):
    """Writes obj to a path or a file object. A path is replaced atomically, after its data has reached the disk."""
    if hasattr(f, "write"):
        content = io.BytesIO()
        _write_archive(obj, content)
        f.write(content.getvalue())
        return
    path = os.path.realpath(os.fspath(f))
    folder = os.path.dirname(path)
    handle, temporary = tempfile.mkstemp(prefix=os.path.basename(path) + ".", suffix=".tmp", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            _write_archive(obj, file)
            file.flush()
            os.fsync(file.fileno())
        mode = os.stat(path).st_mode & 0o777 if os.path.exists(path) else 0o666 & ~_umask()
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _rebuild_tensor(storage, offset, size, stride, requires_grad=False, hooks=None, metadata=None):
    if not isinstance(storage, gotorch.Tensor):
        raise pickle.UnpicklingError("a tensor of the checkpoint has no storage")
    t = storage.as_strided(tuple(size), tuple(stride), offset)
    return t.requires_grad_() if requires_grad else t


def _rebuild_parameter(data, requires_grad=True, hooks=None):
    return Parameter(data, bool(requires_grad))


_ALLOWED = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    ("torch", "Size"): gotorch.Size,
    ("builtins", "set"): set,
    ("__builtin__", "set"): set,
    **{("torch", name): dtype for name, dtype in _STORAGES.items()},
}


class _Unpickler(pickle.Unpickler):
    """Finds only what a checkpoint needs."""

    def __init__(self, file, archive, prefix):
        super().__init__(file)
        self.archive, self.prefix, self.storages = archive, prefix, {}

    def find_class(self, module, name):
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"the checkpoint refers to {module}.{name}, which is not among the names that loading allows"
            ) from None

    def persistent_load(self, pid):
        if not isinstance(pid, tuple) or len(pid) != 5 or pid[0] != "storage" or not isinstance(pid[1], gotorch.dtype):
            raise pickle.UnpicklingError(f"the checkpoint has a malformed storage: {pid!r:.100}")
        _, dtype, key, _, numel = pid
        if key not in self.storages:
            content = self.archive.read(f"{self.prefix}data/{key}")
            if len(content) != numel * dtype.itemsize:
                raise RuntimeError(
                    f"storage {key} of the checkpoint has {len(content)} bytes, expected {numel} elements of {dtype}"
                )
            raw = gotorch.frombuffer(bytearray(content), dtype=gotorch.uint8) if content else None
            self.storages[key] = gotorch.empty(0, dtype=dtype) if raw is None else raw.view(dtype)
        return self.storages[key]


def load(f, map_location=None, pickle_module=None, *, weights_only=True, mmap=None):
    """Reads what save() or PyTorch wrote. Raises RuntimeError for damaged files, UnpicklingError for forbidden content."""
    if not weights_only:
        raise NotImplementedError("load: weights_only=False is not implemented: only data is loaded, never code")
    try:
        with zipfile.ZipFile(f) as archive:
            names = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            if len(names) != 1:
                raise RuntimeError(f"{f}: not a checkpoint: it has {len(names)} data.pkl")
            prefix = names[0][: -len("data.pkl")]
            return _Unpickler(io.BytesIO(archive.read(names[0])), archive, prefix).load()
    except pickle.UnpicklingError:
        raise
    except (
        zipfile.BadZipFile,
        EOFError,
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
        IndexError,
    ) as error:
        raise RuntimeError(f"{f}: the checkpoint is damaged or not one: {error}") from error
