"""Checkpoints in PyTorch's zip format: files go both ways.

Saving is atomic: the file under the given name is the old one or the new one, whatever happens. Loading checks every
record's CRC and, unless it is told weights_only=False, executes nothing: the pickle inside may build containers, numbers,
strings and tensors, and nothing else.
"""

import contextlib
import io
import os
import pickle
import zipfile

import gotorch
from gotorch import _pickle_reader
from gotorch._archive import ArchiveReader, ArchiveWriter, AtomicFile
from gotorch._pickle_reader import ALLOWED, LoadedStorage, Machine, StorageType
from gotorch._pickle_writer import CheckpointPickler

_DAMAGED = (
    zipfile.BadZipFile,
    EOFError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    OverflowError,
    NotImplementedError,
    RecursionError,
)


def save(obj, f, pickle_module=None, pickle_protocol=2, _use_new_zipfile_serialization=True):
    """Writes obj to a path or a file object. A path is replaced atomically, after its data has reached the disk."""
    data = io.BytesIO()
    pickler = CheckpointPickler(data, pickle_protocol)
    pickler.dump(obj)
    if hasattr(f, "write"):
        _write(data.getbuffer(), pickler.storages, f)
    else:
        with AtomicFile(f) as file:
            _write(data.getbuffer(), pickler.storages, file)


def _write(pickled, storages, file):
    archive = ArchiveWriter(file)
    archive.add("data.pkl", pickled)
    archive.add("byteorder", b"little")
    for storage in storages:
        archive.add(f"data/{storage.key}", storage.content)
    archive.add("version", b"3\n")
    archive.close()


class _Storages:
    """Loads the storages that persistent ids name, each once."""

    def __init__(self, archive):
        self.archive, self.loaded = archive, {}

    def load(self, pid):
        if not (isinstance(pid, tuple) and len(pid) == 5 and pid[0] == "storage"):
            raise pickle.UnpicklingError("the checkpoint has a malformed storage")
        _, kind, key, _, numel = pid
        if not isinstance(kind, StorageType) or type(key) is not str or type(numel) is not int or numel < 0:
            raise pickle.UnpicklingError("the checkpoint has a malformed storage")
        if key not in self.loaded:
            self.loaded[key] = self.archive.tensor(f"data/{key}", numel * kind.dtype.itemsize)
        flat = self.loaded[key]
        return LoadedStorage(flat.view(kind.dtype) if flat.numel() else gotorch.empty(0, dtype=kind.dtype))


class _FullUnpickler(pickle.Unpickler):
    """Finds every name, as Python's pickle does, and PyTorch's tensors as ours."""

    def __init__(self, file, storages):
        super().__init__(file)
        self.persistent_load = storages.load

    def find_class(self, module, name):
        known = ALLOWED.get(f"{module}.{name}") if module.startswith("torch") else None
        return super().find_class(module, name) if known is None else getattr(known, "call", known)


def load(f, map_location=None, pickle_module=None, *, weights_only=True, mmap=None, **pickle_load_args):
    """Reads what save() or PyTorch wrote, from a path or a file object.

    RuntimeError for damaged files, UnpicklingError for content that is not allowed. With weights_only=False the file can run
    any code: only for files from people you trust.
    """
    if map_location is not None and not callable(map_location) and not isinstance(map_location, dict):
        gotorch._C._check_device(map_location)
    name = f if isinstance(f, (str, os.PathLike)) else "the file"
    try:
        archive = ArchiveReader(f)
        try:
            if "byteorder" in archive and archive.record("byteorder") != b"little":
                raise RuntimeError("it was written in another byte order")
            content, storages = archive.record("data.pkl"), _Storages(archive)
            if weights_only:
                return Machine(content, storages.load).run()
            return _FullUnpickler(io.BytesIO(content), storages).load()
        finally:
            archive.close()
    except (pickle.UnpicklingError, OSError, MemoryError):
        raise
    except (*_DAMAGED, RuntimeError) as error:
        if not weights_only and not isinstance(error, (zipfile.BadZipFile, EOFError)):
            raise
        raise RuntimeError(f"{name}: the checkpoint is damaged or not one: {error}") from error


def _full_name(item):
    if isinstance(item, tuple):
        return item[1], item[0]
    return f"{item.__module__}.{item.__qualname__}", item


def add_safe_globals(safe_globals):
    """Lets load() make objects of these classes and call these functions; an item may be (class, "its.name")."""
    _pickle_reader.safe_classes.update(_full_name(item) for item in safe_globals)


def clear_safe_globals():
    """Takes back what add_safe_globals() has added."""
    _pickle_reader.safe_classes.clear()


def get_safe_globals():
    """What add_safe_globals() has added."""
    return list(_pickle_reader.safe_classes.values())


@contextlib.contextmanager
def safe_globals(safe_globals):
    """add_safe_globals() for the duration of a block."""
    before = dict(_pickle_reader.safe_classes)
    add_safe_globals(safe_globals)
    try:
        yield
    finally:
        _pickle_reader.safe_classes.clear()
        _pickle_reader.safe_classes.update(before)
