"""Max pooling undone, against PyTorch."""

import gotorch
import numpy as np
import pytest

torch = pytest.importorskip("torch")

# (dimensions, input shape, pooling options, output size)
CASES = [
    (1, (2, 3, 9), {"kernel_size": 3}, None),
    (1, (3, 9), {"kernel_size": 3, "stride": 2, "padding": 1}, None),
    (2, (2, 3, 6, 8), {"kernel_size": (2, 4)}, None),
    (2, (3, 7, 7), {"kernel_size": 2}, (7, 7)),
    (2, (1, 3, 7, 7), {"kernel_size": 2}, (1, 3, 7, 7)),
    (3, (1, 2, 4, 4, 6), {"kernel_size": 2}, None),
]


def unpooled(t, dims, shape, options, output_size):
    """The layer's printed form, its result and the gradient of the input."""
    x = t.tensor(np.random.RandomState(1).permutation(int(np.prod(shape))).reshape(shape).astype("float64"))
    pooled, indices = getattr(t.nn, f"MaxPool{dims}d")(**options, return_indices=True)(x)
    pooled = pooled.detach().requires_grad_()
    layer = getattr(t.nn, f"MaxUnpool{dims}d")(**options)
    y = layer(pooled, indices, output_size)
    assert (
        getattr(t.nn.functional, f"max_unpool{dims}d")(pooled, indices, **options, output_size=output_size) == y
    ).all()
    (y * t.arange(y.numel()).view(y.shape)).sum().backward()
    return repr(layer), y.detach().numpy(), pooled.grad.numpy()


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_unpooling_is_pytorchs(case):
    ours, theirs = unpooled(gotorch, *case), unpooled(torch, *case)
    assert ours[0] == theirs[0]
    for a, b in zip(ours[1:], theirs[1:]):
        np.testing.assert_array_equal(a, b)


BAD = {
    "index beyond the output": lambda t, x, i: (x, i + 20, 2),
    "negative index": lambda t, x, i: (x, i - 20, 2),
    "far size": lambda t, x, i: (x, i, 2, None, 0, (7, 7)),
    "size of other dimensions": lambda t, x, i: (x, i, 2, None, 0, (4,)),
    "another shape of indices": lambda t, x, i: (x, i[0], 2),
    "indices of int32": lambda t, x, i: (x, i.int(), 2),
    "too few dimensions": lambda t, x, i: (x[0, 0], i[0, 0], 2),
}


@pytest.mark.parametrize("case", sorted(BAD))
def test_errors_have_the_class_of_pytorch(case):
    def call(t):
        x, i = t.nn.functional.max_pool2d(t.arange(16.0).view(1, 1, 4, 4), 2, return_indices=True)
        return t.nn.functional.max_unpool2d(*BAD[case](t, x, i))

    with pytest.raises(Exception) as theirs:
        call(torch)
    with pytest.raises(theirs.type):
        call(gotorch)


def test_coordinates_of_places_are_pytorchs():
    places = [[3, 13, 23], [0, 5, 11]]
    for shape in ((2, 3, 4), (24,), 24):
        ours = gotorch.unravel_index(gotorch.tensor(places), shape)
        theirs = torch.unravel_index(torch.tensor(places), shape)
        assert [c.tolist() for c in ours] == [c.tolist() for c in theirs]
    for t in (gotorch, torch):
        with pytest.raises(TypeError):
            t.unravel_index(t.tensor([1.0]), (2, 2))
        with pytest.raises(ValueError):
            t.unravel_index(t.tensor([1]), (2, -2))
