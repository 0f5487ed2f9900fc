"""All parameters as one vector, and back."""

import gotorch


def parameters_to_vector(parameters):
    """The elements of all tensors, one after the other: [sum of their sizes]."""
    return gotorch.cat([p.reshape(-1) for p in parameters])


def vector_to_parameters(vec, parameters):
    """Makes each tensor the view of `vec` that holds its elements."""
    if not isinstance(vec, gotorch.Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {type(vec).__name__}")
    first = 0
    for p in parameters:
        p.data = vec[first : first + p.numel()].view_as(p).data
        first += p.numel()
