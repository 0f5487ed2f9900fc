"""Sequences of different lengths as one tensor."""

import gotorch

__all__ = ["pad_sequence", "unpad_sequence"]


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
