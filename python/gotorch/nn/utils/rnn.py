"""Sequences of different lengths as one tensor: padded, or packed step by step."""

from collections import namedtuple

import gotorch

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]

_FIELDS = ("data", "batch_sizes", "sorted_indices", "unsorted_indices")


class PackedSequence(namedtuple("PackedSequence", _FIELDS)):
    """Sequences, the longest first, without padding: the rows of the first step, then those of the second.

    data is [rows, ...], batch_sizes says how many sequences reach each step, sorted_indices where the sequences were before
    they were sorted, and unsorted_indices is the way back.
    """

    __slots__ = ()

    def __new__(cls, data, batch_sizes=None, sorted_indices=None, unsorted_indices=None):
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        if batch_sizes is None:
            raise ValueError("PackedSequence needs batch_sizes")
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    @property
    def is_cuda(self):
        return False

    def is_pinned(self):
        return self.data.is_pinned()

    def pin_memory(self):
        return self

    def to(self, *args, **kwargs):
        data = self.data.to(*args, **kwargs)
        return self if data is self.data else self._replace(data=data)

    def cpu(self):
        return self

    def double(self):
        return self.to(gotorch.float64)

    def float(self):
        return self.to(gotorch.float32)

    def half(self):
        return self.to(gotorch.float16)

    def long(self):
        return self.to(gotorch.int64)

    def int(self):
        return self.to(gotorch.int32)

    def short(self):
        return self.to(gotorch.int16)

    def char(self):
        return self.to(gotorch.int8)

    def byte(self):
        return self.to(gotorch.uint8)


def invert_permutation(permutation):
    """The permutation that undoes this one; None stays None."""
    if permutation is None:
        return None
    places = gotorch.arange(permutation.numel(), dtype=permutation.dtype)
    return gotorch.empty_like(permutation).scatter_(0, permutation, places)


def _present(lengths, steps):
    """[steps, batch]: which sequences reach each step."""
    return gotorch.arange(steps).unsqueeze(1) < lengths.unsqueeze(0)


def pack_padded_sequence(input, lengths, batch_first=False, enforce_sorted=True):
    """The sequences of a padded [longest, batch, ...], or with batch_first [batch, longest, ...], of these lengths."""
    lengths = gotorch.as_tensor(lengths).long()
    sorted_indices = None
    if not enforce_sorted:
        lengths, sorted_indices = gotorch.sort(lengths, descending=True)
        input = input.index_select(0 if batch_first else 1, sorted_indices)
    if batch_first:
        input = input.transpose(0, 1)
    if input.numel() == 0:
        raise RuntimeError("Cannot pack empty tensors.")
    steps, batch = input.shape[:2]
    if lengths.numel() != batch:
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {lengths.numel()} (batch_size={batch})"
        )
    if bool((lengths <= 0).any()):
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0"
        )
    if bool((lengths[1:] > lengths[:-1]).any()):
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. "
            "You can pass `enforce_sorted=False` to pack_padded_sequence and/or pack_sequence"
        )
    longest = int(lengths[0])
    if longest > steps:
        raise RuntimeError(f"Expected no length above {steps}, the steps of the input, but got {longest}")
    present = _present(lengths, longest)
    rows = present.flatten().nonzero().squeeze(1)
    data = input.flatten(0, 1).index_select(0, rows)
    return PackedSequence(data, present.sum(1), sorted_indices)


def pad_packed_sequence(sequence, batch_first=False, padding_value=0.0, total_length=None):
    """(padded, lengths): the sequences as [longest, batch, ...], or with batch_first [batch, longest, ...]."""
    sizes = sequence.batch_sizes
    steps, batch = sizes.numel(), int(sizes[0])
    if total_length is not None and total_length < steps:
        raise ValueError(
            "Expected total_length to be at least the length of the longest sequence in input, "
            f"but got total_length={total_length} and max sequence length being {steps}"
        )
    present = gotorch.arange(batch).unsqueeze(0) < sizes.unsqueeze(1)
    rows = present.flatten().nonzero().squeeze(1)
    shape = (total_length or steps, batch, *sequence.data.shape[1:])
    padded = gotorch.full((shape[0] * batch, *shape[2:]), padding_value, dtype=sequence.data.dtype)
    padded = padded.index_copy(0, rows, sequence.data).view(shape)
    lengths = present.sum(0)
    if batch_first:
        padded = padded.transpose(0, 1)
    if sequence.unsorted_indices is not None:
        padded = padded.index_select(0 if batch_first else 1, sequence.unsorted_indices)
        lengths = lengths[sequence.unsorted_indices]
    return padded, lengths


def pad_sequence(sequences, batch_first=False, padding_value=0.0, padding_side="right"):
    """Sequences [length, ...] as [longest, batch, ...], or with batch_first [batch, longest, ...]; what is missing is
    padding_value."""
    if padding_side not in ("left", "right"):
        raise RuntimeError(f"Expected padding_side to be one of left or right, but got {padding_side}.")
    if isinstance(sequences, gotorch.Tensor):
        sequences = sequences.unbind(0)
    if not sequences:
        raise RuntimeError("received an empty list of sequences")
    longest = max(s.size(0) for s in sequences)
    padded = []
    for s in sequences:
        missing = longest - s.size(0)
        frame = (missing, 0) if padding_side == "left" else (0, missing)
        padded.append(gotorch.constant_pad_nd(s, (0, 0) * (s.dim() - 1) + frame, padding_value))
    return gotorch.stack(padded, 0 if batch_first else 1)


def unpad_sequence(padded_sequences, lengths, batch_first=False):
    """The sequences that pad_sequence has made one tensor of."""
    if not batch_first:
        padded_sequences = padded_sequences.transpose(0, 1)
    return [s[: int(n)] for s, n in zip(padded_sequences, lengths)]


def pack_sequence(sequences, enforce_sorted=True):
    """Sequences [length, ...] packed; they have to be sorted, the longest first, unless enforce_sorted is False."""
    lengths = gotorch.tensor([s.size(0) for s in sequences])
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences):
    """The sequences that pack_sequence has packed."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
