"""Items to a batch."""

from collections.abc import Mapping, Sequence

import gotorch
from gotorch import _C


def default_collate(batch):
    """Items to a batch: tensors and numbers are stacked, containers are collated field by field."""
    first = batch[0]
    if isinstance(first, gotorch.Tensor):
        stacked = _C._collate_tensors(batch) if isinstance(batch, list) else None
        return gotorch.stack(batch) if stacked is None else stacked
    if isinstance(first, float):
        return gotorch.tensor(batch, dtype=gotorch.float64)
    if isinstance(first, int):
        return gotorch.tensor(batch)
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, Mapping):
        return _like(first, {key: default_collate([item[key] for item in batch]) for key in first})
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*map(default_collate, map(list, zip(*batch))))
    if isinstance(first, Sequence):
        if any(len(item) != len(first) for item in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        fields = [default_collate(list(field)) for field in zip(*batch)]
        return fields if isinstance(first, (tuple, list)) else _like(first, fields)
    if type(first).__module__ == "numpy":
        if first.shape == ():
            return gotorch.as_tensor(batch)
        return default_collate([gotorch.as_tensor(item) for item in batch])
    raise TypeError(
        f"default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {type(first)}"
    )


def _like(container, content):
    """`content` as the container's type, where that can be built from it."""
    try:
        return type(container)(content)
    except TypeError:
        return content


def default_convert(data):
    """NumPy arrays to tensors, in containers too; everything else as it is."""
    if isinstance(data, (gotorch.Tensor, str, bytes)):
        return data
    if type(data).__module__ == "numpy":
        return gotorch.as_tensor(data) if data.dtype.kind not in "OSU" else data
    if isinstance(data, Mapping):
        return _like(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*map(default_convert, data))
    if isinstance(data, tuple):
        return [default_convert(value) for value in data]
    if isinstance(data, Sequence):
        return _like(data, [default_convert(value) for value in data])
    return data
