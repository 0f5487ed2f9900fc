"""assert_close and padded sequences against PyTorch."""

import gotorch
import numpy as np
import pytest

torch = pytest.importorskip("torch")

NAN = float("nan")
COMPARISONS = [
    lambda t: ((t.tensor([1.0, 2.0]), t.tensor([1.0, 2.0 + 1e-6])), {}),
    lambda t: ((t.tensor([1.0, 2.0]), t.tensor([1.0, 2.5])), {}),
    lambda t: ((t.tensor([[1.0, 2.0], [3.0, 4.0]]), t.tensor([[1.0, 2.0], [3.0, 5.0]])), {}),
    lambda t: ((t.tensor([1, 2]), t.tensor([1, 3])), {}),
    lambda t: ((t.tensor([True]), t.tensor([False])), {}),
    lambda t: ((t.tensor(1.0), t.tensor(2.0)), {}),
    lambda t: ((t.tensor([1.0]), t.tensor([1.0], dtype=t.float64)), {}),
    lambda t: ((t.tensor([1.0]), t.tensor([1.0], dtype=t.float64)), {"check_dtype": False}),
    lambda t: ((t.tensor([1.0]), t.tensor([1])), {"check_dtype": False}),
    lambda t: ((t.tensor([1.0]), t.tensor([1.0, 2.0])), {}),
    lambda t: ((t.zeros(2, 3), t.zeros(3, 2).t()), {}),
    lambda t: ((t.zeros(2, 3), t.zeros(3, 2).t()), {"check_stride": True}),
    lambda t: ((t.tensor([1.0]), t.tensor([1.1])), {"rtol": 0.2, "atol": 0}),
    lambda t: ((t.tensor([1.0]), t.tensor([1.1])), {"rtol": 0, "atol": 0.01}),
    lambda t: ((t.tensor([1.0]), t.tensor([1.1])), {"rtol": 0.2}),
    lambda t: ((t.tensor([NAN]), t.tensor([NAN])), {}),
    lambda t: ((t.tensor([NAN, 1.0]), t.tensor([NAN, 1.0])), {"equal_nan": True}),
    lambda t: ((t.tensor([1.0]), t.tensor([2.0])), {"msg": "hello"}),
    lambda t: ((t.tensor([1.0]), t.tensor([2.0])), {"msg": lambda text: "more: " + text}),
    lambda t: (([t.tensor([1.0])], [t.tensor([2.0])]), {}),
    lambda t: (([t.tensor([1.0])], [t.tensor([1.0]), t.tensor([1.0])]), {}),
    lambda t: (({"a": [t.tensor(1.0)]}, {"a": [t.tensor(2.0)]}), {}),
    lambda t: (({"a": 1}, {"b": 1}), {}),
    lambda t: ((t.tensor([1.0]), [1.0]), {}),
    lambda t: ((t.tensor([1.0]), 1.0), {}),
    lambda t: ((np.array([1.0]), np.array([1.0])), {}),
    lambda t: ((1.0, 1.0 + 1e-9), {}),
    lambda t: ((1.0, 2.0), {}),
    lambda t: ((1, 2), {}),
    lambda t: ((1, 1.0), {}),
    lambda t: ((NAN, NAN), {"equal_nan": True}),
    lambda t: ((None, None), {}),
    lambda t: ((True, False), {}),
    lambda t: (("a", "a"), {}),
]


@pytest.mark.parametrize("number", range(len(COMPARISONS)))
def test_assert_close_says_what_pytorch_says(number):
    said = []
    for t in (gotorch, torch):
        args, kwargs = COMPARISONS[number](t)
        try:
            t.testing.assert_close(*args, **kwargs)
            said.append(None)
        except Exception as e:
            said.append((type(e), str(e).replace("gotorch.", "torch.")))
    assert said[0] == said[1]


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("shape", [(), (2,), (3, 1)])
def test_padded_sequences(shape, side, batch_first):
    results = []
    for t in (gotorch, torch):
        parts = [
            t.arange(n * int(np.prod(shape)), dtype=t.float32).reshape(n, *shape).requires_grad_() for n in (3, 1, 4)
        ]
        padded = t.nn.utils.rnn.pad_sequence(parts, batch_first, -1.0, side)
        (padded * padded).sum().backward()
        results.append([padded.tolist(), *(p.grad.tolist() for p in parts)])
        if side == "right":
            back = t.nn.utils.rnn.unpad_sequence(padded, t.tensor([3, 1, 4]), batch_first)
            assert all(t.equal(a, b) for a, b in zip(back, parts))
    assert results[0] == results[1]


def test_wrong_sequences_are_refused():
    for t in (gotorch, torch):
        with pytest.raises(RuntimeError):
            t.nn.utils.rnn.pad_sequence([])
        with pytest.raises(RuntimeError, match="Expected padding_side to be one of left or right, but got up"):
            t.nn.utils.rnn.pad_sequence([t.zeros(2)], padding_side="up")
