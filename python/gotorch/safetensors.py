"""The safetensors format: named tensors, no code. Reading and writing are in C++ (data/safetensors.h)."""

import os

from gotorch import _C


def save_file(tensors, filename, metadata=None):
    """Writes a dictionary of tensors to a path, atomically; metadata is a dictionary of strings."""
    _C._save_safetensors(os.fspath(filename), tensors, metadata or {})


def load_file(filename, device="cpu"):
    """The dictionary of tensors in a file. RuntimeError if it is damaged."""
    _C._check_device(device)
    return _C._load_safetensors(os.fspath(filename))[0]


def load_metadata(filename):
    """The dictionary of strings that was saved beside the tensors."""
    return _C._load_safetensors(os.fspath(filename))[1]


def save(tensors, metadata=None):
    """The bytes of such a file."""
    return _C._to_safetensors(tensors, metadata or {})


def load(data):
    """The dictionary of tensors in the bytes of such a file."""
    return _C._from_safetensors(data)[0]
