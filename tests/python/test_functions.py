"""Functions of the top level that take their arguments in several forms, against PyTorch."""

import math

import gotorch
import pytest

torch = pytest.importorskip("torch")

EINSUMS = [
    ("ij,jk->ik", (3, 4), (4, 2)),
    ("ij,jk", (3, 4), (4, 2)),
    ("bij,bjk->bik", (2, 3, 4), (2, 4, 2)),
    ("bhid,bhjd->bhij", (2, 3, 4, 5), (2, 3, 6, 5)),
    ("ii->i", (3, 3)),
    ("ii", (3, 3)),
    ("iij->ji", (3, 3, 2)),
    ("ij->j", (3, 4)),
    ("i,j->ji", (3,), (4,)),
    ("...ij,...jk->...ik", (5, 1, 3, 4), (2, 4, 2)),
    ("i...->...", (3, 4, 5)),
    ("ab,bc,cd->ad", (2, 3), (3, 4), (4, 5)),
    ("ij,ij->", (3, 4), (3, 4)),
    ("ij,jk->ik", (1, 4), (4, 2)),
    ("ij,kj->ik", (3, 1), (4, 5)),
    ("Ba,aB->aB", (2, 3), (3, 2)),
    ("ij,jk->ik", (0, 4), (4, 2)),
    (" i j , j -> i ", (3, 4), (4,)),
]


def both(shape, seed):
    torch.manual_seed(seed)
    x = torch.randn(shape)
    return torch.tensor(x.tolist()).reshape(shape), gotorch.tensor(x.tolist()).reshape(shape)


def assert_same(ours, theirs, tolerance=1e-5):
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert str(ours.dtype) == str(theirs.dtype)
    close = torch.allclose(
        torch.tensor(ours.tolist(), dtype=theirs.dtype).reshape(theirs.shape), theirs, atol=tolerance
    )
    assert close, (ours, theirs)


@pytest.mark.parametrize("equation, shapes", [(e, s) for e, *s in EINSUMS])
def test_einsum(equation, shapes):
    pairs = [both(shape, i) for i, shape in enumerate(shapes)]
    assert_same(gotorch.einsum(equation, *(g for _, g in pairs)), torch.einsum(equation, *(t for t, _ in pairs)))
    assert_same(gotorch.einsum(equation, [g for _, g in pairs]), torch.einsum(equation, *(t for t, _ in pairs)))


def test_einsum_with_lists_of_dimensions():
    (a, x), (b, y) = both((3, 4), 0), both((4, 2), 1)
    assert_same(gotorch.einsum(x, [0, 1], y, [1, 2], [0, 2]), torch.einsum(a, [0, 1], b, [1, 2], [0, 2]))


@pytest.mark.parametrize("equation", ["ij,jk->ik", "ij->k", "i->i", "i1->i", "ij->ii"])
def test_a_wrong_equation_raises(equation):
    with pytest.raises(RuntimeError):
        torch.einsum(equation, torch.zeros(3, 4))
    with pytest.raises(RuntimeError):
        gotorch.einsum(equation, gotorch.zeros(3, 4))


@pytest.mark.parametrize("dims", [0, 1, 2, ([1, 0], [0, 1]), ([-1], [-2])])
def test_tensordot(dims):
    (a, x), (b, y) = both((4, 4), 0), both((4, 4), 1)
    assert_same(gotorch.tensordot(x, y, dims), torch.tensordot(a, b, dims))


def test_unique():
    for kwargs in ({}, dict(return_inverse=True, return_counts=True), dict(dim=0), dict(dim=1, return_counts=True)):
        values = [[3, 1, 3], [2, 1, 2], [3, 1, 3]]
        ours, theirs = gotorch.tensor(values).unique(**kwargs), torch.tensor(values).unique(**kwargs)
        for g, t in zip(*((r,) if hasattr(r, "shape") else r for r in (ours, theirs))):
            assert_same(g, t)
    runs = [1, 1, 2, 2, 1]
    for g, t in zip(
        gotorch.unique_consecutive(gotorch.tensor(runs), True, True),
        torch.unique_consecutive(torch.tensor(runs), True, True),
    ):
        assert_same(g, t)


def test_normal_draws_the_same_numbers():
    def draws(t):
        t.manual_seed(3)
        mean, std = t.full((3, 7), 2.0), t.full((7,), 0.5)
        yield t.normal(mean, std)
        yield t.normal(mean, 0.5)
        yield t.normal(2.0, std)
        yield t.normal(2.0, 0.5, (20,))

    for g, t in zip(draws(gotorch), draws(torch)):
        assert_same(g, t, 1e-6)


@pytest.mark.parametrize(
    "draw",
    [
        lambda t: t.empty(50).exponential_(1.5),
        lambda t: t.empty(50).cauchy_(),
        lambda t: t.empty(50).log_normal_(0.5, 0.25),
        lambda t: t.empty(50).geometric_(0.3),
        lambda t: t.empty(50).bernoulli_(),
        lambda t: t.empty(50).bernoulli_(0.2),
        lambda t: t.empty(2, 3).bernoulli_(t.full((2, 3), 0.4)),
        lambda t: t.multinomial(t.tensor([[0.1, 0.2, 0.7], [3.0, 1.0, 1.0]]), 2),
        lambda t: t.multinomial(t.tensor([0.1, 0.2, 0.7]), 20, replacement=True),
        lambda t: t.multinomial(t.tensor([0.1, 0.2, 0.7]), 1),
    ],
)
def test_draws_are_the_same_numbers(draw):
    torch.manual_seed(5)
    gotorch.manual_seed(5)
    assert_same(draw(gotorch), draw(torch), 1e-5)


@pytest.mark.parametrize(
    "call",
    [
        lambda t, x, y: t.broadcast_tensors(x, y[0])[1],
        lambda t, x, y: t.atleast_2d(x[0]),
        lambda t, x, y: t.atleast_3d([x, y])[1],
        lambda t, x, y: t.cartesian_prod(x[0], y[0]),
        lambda t, x, y: t.isclose(x, x + 1e-9),
        lambda t, x, y: t.tensor([t.allclose(x, y), t.allclose(x, x), t.equal(x, x), t.equal(x, y), t.equal(x, x[0])]),
        lambda t, x, y: t.isin(t.tensor([1, 2, 3]), t.tensor([3, 1])),
        lambda t, x, y: t.isin(t.tensor([1, 2, 3]), t.tensor([], dtype=t.int64)),
        lambda t, x, y: t.kron(x, y),
        lambda t, x, y: t.inner(x, y),
        lambda t, x, y: t.trace(x),
        lambda t, x, y: t.addr(x, y[:, 0], y[0], beta=0.5, alpha=2),
        lambda t, x, y: t.cross(x[:, :3], y[:, :3], dim=1),
        lambda t, x, y: t.fmax(x, y.log()),
        lambda t, x, y: t.fmin(x, y.log()),
        lambda t, x, y: t.copysign(x, y),
        lambda t, x, y: t.heaviside(x.round(), y),
        lambda t, x, y: t.logaddexp2(x, y),
        lambda t, x, y: t.float_power(x.abs(), y),
        lambda t, x, y: t.ldexp(x, y),
        lambda t, x, y: t.logit(x, 0.1),
        lambda t, x, y: t.sinc(x),
        lambda t, x, y: t.isposinf(x / 0) | t.isneginf(y / 0),
        lambda t, x, y: t.gcd(t.tensor([12, -18, 0, 7]), t.tensor([18, 12, 5, 0])),
        lambda t, x, y: t.lcm(t.tensor([12, -18, 0, 7]), t.tensor([18, 12, 5, 0])),
        lambda t, x, y: t.nn.functional.normalize(x),
        lambda t, x, y: t.nn.functional.normalize(x * 0, p=1, dim=0, out=y),
        lambda t, x, y: t.nn.functional.one_hot(t.tensor([[0, 2], [1, 1]]), 4),
        lambda t, x, y: t.nn.functional.max_pool2d(x[None], 2, return_indices=True)[1],
        lambda t, x, y: t.tensor([1, -5, 7]) << 2,
        lambda t, x, y: t.tensor([1, -5, 77, 5]) >> t.tensor([0, 1, 2, 70]),
    ],
)
def test_values(call):
    (a, x), (b, y) = both((4, 4), 0), both((4, 4), 1)
    assert_same(call(gotorch, x, y), call(torch, a, b))


def test_trigamma_is_precise_where_values_are_known():
    x = gotorch.tensor([0.5, 1.0, 1.5, 2.0, -0.5], dtype=gotorch.float64)
    square = math.pi**2
    known = [square / 2, square / 6, square / 2 - 4, square / 6 - 1, square / 2 + 4]
    for got, value in zip(gotorch.polygamma(1, x).tolist(), known):
        assert got == pytest.approx(value, rel=1e-14)


@pytest.mark.parametrize("name", ["block_diag", "meshgrid"])
def test_tensors_one_by_one_or_in_a_list(name):
    options = {"indexing": "xy"} if name == "meshgrid" else {}
    values = ([1.0, 2.0], [3.0, 4.0, 5.0])
    expected = getattr(torch, name)(*(torch.tensor(v) for v in values), **options)
    tensors = [gotorch.tensor(v) for v in values]
    for given in (tensors, [tensors], [tuple(tensors)]):
        got = getattr(gotorch, name)(*given, **options)
        for g, e in zip(got, expected):
            assert g.tolist() == e.tolist()
