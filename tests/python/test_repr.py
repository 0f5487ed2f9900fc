"""repr(tensor), compared with PyTorch's, string by string."""

import math
import random

import gotorch
import pytest

torch = pytest.importorskip("torch")

CASES = [
    0,
    1.0,
    1.5,
    True,
    -3,
    1e10,
    1e-10,
    [],
    [[], []],
    [1, 2, 3],
    [1, -20, 300],
    [1.0, 2.0],
    [1.5, -2.25],
    [1e-5, 1.0],
    [1e5, 1.0],
    [1e8, 1.0],
    [1e9, 2e9],
    [123456.0, 1.0],
    [0.1, 1000.5],
    [0.0, 0.0],
    [math.nan, 1.0],
    [math.nan, math.inf, -math.inf],
    [math.inf, 1.5],
    [math.nan, 1e-8],
    [True, False],
    [[1, 2], [3, 4]],
    [[1.5, 2], [3, -4.25]],
    [[[1.0]], [[2.0]]],
    [[[1, 2], [3, 4]], [[5, 6], [7, 8]]],
    [[[[1], [2]]]],
    list(range(100)),
    [float(i) for i in range(50)],
    [i / 7 for i in range(60)],
    [[i * j / 7 for i in range(30)] for j in range(3)],
]


def check(data, dtype=None, requires_grad=False):
    ours, theirs = (
        m.tensor(data, dtype=dtype and getattr(m, dtype), requires_grad=requires_grad) for m in (gotorch, torch)
    )
    assert repr(ours) == repr(theirs)


@pytest.mark.parametrize("data", CASES, ids=lambda d: str(d)[:30])
def test_text_is_that_of_pytorch(data):
    check(data)
    for dtype in ("float64", "float16", "bfloat16", "float32"):
        check(data, dtype)


@pytest.mark.parametrize("shape", [(1001,), (1, 2000), (2000, 1), (8, 300), (7, 7, 30), (2, 10, 10, 10), (7, 8, 3, 9)])
def test_long_tensors_are_shortened(shape):
    count = math.prod(shape)
    for data in (torch.arange(count), torch.arange(count) / 7):
        theirs = data.reshape(shape)
        assert repr(gotorch.tensor(theirs.tolist())) == repr(theirs)


def test_random_magnitudes():
    rng = random.Random(0)
    for _ in range(300):
        digits = rng.choice([1, 3, 6, 9])
        shape = rng.choice([1, 2, 5, 17])
        check([rng.uniform(-1, 1) * 10 ** rng.uniform(-digits, digits) for _ in range(shape)])
        check([float(rng.randint(-(10**digits), 10**digits)) for _ in range(shape)])


def test_requires_grad_is_shown():
    check([1.0, 2.0], requires_grad=True)
    check([[i / 7 for i in range(9)]], requires_grad=True)
    check([[i / 7 for i in range(8)]], dtype="float64", requires_grad=True)


@pytest.mark.parametrize(
    "options",
    [
        {"precision": 2},
        {"precision": 8},
        {"threshold": 5},
        {"threshold": 5, "edgeitems": 1},
        {"linewidth": 40},
        {"sci_mode": True},
        {"sci_mode": False},
        {"profile": "short"},
        {"profile": "full"},
    ],
    ids=str,
)
def test_print_options(options):
    try:
        for m in (gotorch, torch):
            m.set_printoptions(**options)
        check([i / 7 for i in range(20)])
        check([1e-6, 123.25])
        check([[1, 2, 3], [4, 5, 6]])
    finally:
        for m in (gotorch, torch):
            m.set_printoptions(profile="default", sci_mode=None)


def test_format_of_a_0d_tensor_is_that_of_its_number():
    assert f"{gotorch.tensor(3.14159):.2f}" == "3.14"
    assert f"{gotorch.tensor([1.0])}" == "tensor([1.])"
