"""Copies, casts and reads of every layout, and the ops whose loops depend on sizes, against PyTorch."""

import itertools
import math
import random

import gotorch
import pytest

torch = pytest.importorskip("torch")

DTYPES = ["uint8", "int16", "float32", "float64"]
# Around the widths of vectors, of blocks that are transposed, and of short rows.
SIZES = [0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65]


def pair(x):
    """A tensor of ours with the elements of PyTorch's."""
    return gotorch.from_numpy(x.numpy().copy()) if x.numel() else gotorch.empty(list(x.shape), dtype=dtype_of(x))


def dtype_of(x):
    return getattr(gotorch, str(x.dtype).split(".")[-1])


def same(ours, theirs):
    assert list(ours.shape) == list(theirs.shape)
    assert str(ours.dtype).split(".")[-1] == str(theirs.dtype).split(".")[-1]
    assert torch.equal(torch.from_numpy(ours.detach().numpy().copy()).nan_to_num(7.5), theirs.detach().nan_to_num(7.5))


def numbered(shape, dtype):
    n = math.prod(shape)
    return (torch.arange(n) % 251).to(getattr(torch, dtype)).reshape(shape)


@pytest.fixture
def workers():
    before = gotorch.get_num_threads()
    yield gotorch.set_num_threads
    gotorch.set_num_threads(before)


@pytest.mark.parametrize("dtype", DTYPES)
def test_transposed_copies_of_every_size(dtype):
    for rows, cols in itertools.product(SIZES, SIZES):
        x = numbered((rows, cols), dtype)
        y = pair(x)
        same(y.t().contiguous(), x.t().contiguous())
        z = gotorch.zeros(cols, rows, dtype=y.dtype)
        z.t().copy_(y)
        same(z, x.t())


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_of_every_size_with_steps_between_rows_and_elements(dtype):
    for rows, cols in itertools.product(SIZES, [1, 2, 3, 5, 8, 9, 40]):
        x = numbered((rows, 3 * cols), dtype)
        y = pair(x)
        for part in (slice(None, cols), slice(1, None, 2), slice(None, None, 3)):
            same(y[:, part].contiguous(), x[:, part].contiguous())
            same(y[:, part] * 2, x[:, part] * 2)
            a, b = torch.zeros_like(x), gotorch.zeros_like(y)
            a[:, part] = x[:, part]
            b[:, part] = y[:, part]
            same(b, a)


def layouts(seed):
    """Random chains of views, the same on both sides."""
    random.seed(seed)
    for _ in range(60):
        shape = [random.choice([1, 2, 3, 4, 8, 9, 17]) for _ in range(random.randint(1, 4))]
        x = numbered(shape, random.choice(DTYPES))
        y = pair(x)
        for _ in range(random.randint(1, 4)):
            kind = random.choice(["permute", "slice", "flip", "expand"])
            dim = random.randrange(x.dim())
            if kind == "permute":
                order = random.sample(range(x.dim()), x.dim())
                x, y = x.permute(order), y.permute(order)
            elif kind == "slice":
                index = (slice(None),) * dim + (slice(random.randint(0, x.shape[dim] - 1), None, random.randint(1, 3)),)
                x, y = x[index], y[index]
            elif kind == "flip":
                x, y = x.flip(dim), y.flip(dim)
            elif x.numel() < 3000:
                x, y = x.unsqueeze(dim), y.unsqueeze(dim)
                wide = [5 if d == dim else n for d, n in enumerate(x.shape)]
                x, y = x.expand(wide), y.expand(wide)
        yield x, y


@pytest.mark.parametrize("seed", range(5))
def test_any_chain_of_views_is_read_written_and_copied(seed):
    for x, y in layouts(seed):
        same(y.contiguous(), x.contiguous())
        same(y.to(gotorch.float64), x.to(torch.float64))
        same((y == y.contiguous()).sum(), torch.tensor(x.numel()))
        order = random.sample(range(x.dim()), x.dim())
        back = [order.index(d) for d in range(x.dim())]
        a = torch.zeros([x.shape[d] for d in order], dtype=x.dtype)
        b = pair(a)
        a.permute(back).copy_(x)
        b.permute(back).copy_(y)
        same(b, a)
        a.permute(back).copy_(x.to(torch.int64))
        b.permute(back).copy_(y.to(gotorch.int64))
        same(b, a)


def test_views_that_overlap_are_copied_as_if_read_first():
    x = torch.arange(100, dtype=torch.float32).reshape(10, 10)
    y = pair(x)
    y.copy_(y.t())
    same(y, x.t())
    y = pair(x)
    y[1:].copy_(y[:-1])
    same(y[1:], x[:-1])
    y = pair(x)
    y.copy_(y)
    same(y, x)


@pytest.mark.parametrize("shape", [(700, 300), (3, 90000), (90000, 3), (5, 130, 257)])
def test_large_copies_are_the_same_for_every_number_of_workers(workers, shape):
    x = torch.arange(math.prod(shape), dtype=torch.float32).reshape(shape)
    for n in (1, 2, 3, 8):
        workers(n)
        y = pair(x)
        same(y.transpose(0, 1).contiguous(), x.transpose(0, 1).contiguous())
        same(y.flip(0, -1), x.flip(0, -1))
        same(y.transpose(0, -1)[::2].contiguous(), x.transpose(0, -1)[::2].contiguous())


def test_a_short_row_and_a_column_broadcast_to_a_wide_tensor():
    for cols in (1, 2, 3, 4, 8, 9, 33):
        x, row, column = torch.randn(3000, cols), torch.randn(cols), torch.randn(3000, 1)
        same(pair(x) * pair(row) + pair(column), x * row + column)
        same(pair(column) + pair(row), column + row)


SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.5, -2.5, 7.0, -7.0, 0.3, 1e30, -1e30, math.inf, -math.inf, math.nan]


@pytest.mark.parametrize("name", ["fmod", "remainder", "floor_divide"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_quotients_of_floats_have_pytorchs_bits(name, dtype):
    special = torch.tensor(list(itertools.product(SPECIAL, SPECIAL)), dtype=dtype).T.contiguous()
    torch.manual_seed(0)
    x, y = torch.randn(5000, dtype=dtype) * 10, torch.randn(5000, dtype=dtype)
    mixed = x.clone()
    mixed[::97] = math.inf  # elements that need the long way, among others
    for a, b in ((special[0], special[1]), (x, y), (1e6 * x, y), (mixed, y)):
        theirs, ours = getattr(torch, name)(a, b), getattr(gotorch, name)(pair(a), pair(b))
        same(ours, theirs)
        signs = torch.from_numpy(ours.numpy().copy()).signbit()
        assert torch.equal(signs[~theirs.isnan()], theirs.signbit()[~theirs.isnan()])
    for n in SIZES:
        same(getattr(gotorch, name)(pair(x[:n]), 0.7), getattr(torch, name)(x[:n], 0.7))


@pytest.mark.parametrize("name", ["int8", "uint8", "int16", "int32", "int64"])
def test_integers_wrap_around(name):
    info = torch.iinfo(getattr(torch, name))
    edges = [info.min, info.min + 1, info.max, info.max - 1, 2, 3, 7]
    x, y = torch.tensor(list(itertools.product(edges, edges)), dtype=getattr(torch, name)).T.contiguous().repeat(1, 30)
    a, b = pair(x), pair(y)
    for op in ("add", "sub", "mul"):
        same(getattr(a, op)(b), getattr(x, op)(y))
    same(a.add(b, alpha=3), x.add(y, alpha=3))
    same(a.square(), x.square())
    same(gotorch.addcmul(a, b, b, value=5), torch.addcmul(x, y, y, value=5))
    same(a.sum(), x.sum())
    same(a.cumsum(0), x.cumsum(0))


@pytest.mark.parametrize("name", ["amax", "amin"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extremes_are_nan_wherever_one_is(name, dtype):
    for n in [1, 15, 16, 17, 63, 64, 65, 200, 1025]:
        x = torch.linspace(-3, 2, n, dtype=dtype)
        for at in {0, n // 2, n - 1}:
            for value in (math.nan, -math.nan, math.inf, -math.inf):
                x_at = x.clone()
                x_at[at] = value
                rows, columns = x_at.repeat(3, 1), x_at.repeat(3, 1).T.contiguous()
                same(getattr(pair(rows), name)(1), getattr(rows, name)(1))
                same(getattr(pair(columns), name)(0), getattr(columns, name)(0))
                same(getattr(pair(x_at), name)(), getattr(x_at, name)())
    same(pair(torch.full((70, 40), -math.inf)).amax(0), torch.full((40,), -math.inf))


def test_equal_tells_a_difference_anywhere(workers):
    x = torch.arange(200001, dtype=torch.float32)
    for n in (1, 2, 3, 8):
        workers(n)
        y = pair(x)
        assert gotorch.equal(y, y.clone()) is True
        for at in (0, 4095, 4096, 65536, 200000):
            z = y.clone()
            z[at] = -1
            assert gotorch.equal(y, z) is False
            z[at] = math.nan
            assert gotorch.equal(z, z) is False
    assert gotorch.equal(gotorch.tensor([0.0]), gotorch.tensor([-0.0]))
    assert not gotorch.equal(gotorch.zeros(2), gotorch.zeros(3))
    assert gotorch.equal(gotorch.zeros(0), gotorch.zeros(0))


@pytest.mark.parametrize("n, high", [(0, 1), (1, 1), (7, 3), (1000, 5), (70000, 5), (150001, 3000), (150001, 150000)])
def test_bincount_counts_every_element(workers, n, high):
    torch.manual_seed(n)
    x, w = torch.randint(0, high, (n,)), torch.randn(n, dtype=torch.float64)
    for count in (1, 2, 3, 8):
        workers(count)
        same(gotorch.bincount(pair(x)), torch.bincount(x))
        same(gotorch.bincount(pair(x), minlength=10), torch.bincount(x, minlength=10))
        same(gotorch.bincount(pair(x), pair(w)), torch.bincount(x, w))


def test_take_counts_negative_indices_from_the_end():
    x = torch.randn(6, 7, dtype=torch.float64)
    i = torch.randint(-42, 42, (50, 3))
    ours = pair(x).requires_grad_()
    theirs = x.clone().requires_grad_()
    same(gotorch.take(ours, pair(i)), torch.take(theirs, i))
    (gotorch.take(ours, pair(i)) ** 2).sum().backward()
    (torch.take(theirs, i) ** 2).sum().backward()
    assert torch.allclose(torch.from_numpy(ours.grad.numpy()), theirs.grad)
    for bad in (42, -43):
        with pytest.raises(IndexError):
            gotorch.take(ours, gotorch.tensor([0, bad]))


@pytest.mark.parametrize("shape, dim", [((3, 1), 0), ((3, 17), 0), ((33, 3), 1), ((5, 3, 9), 1), ((0, 3), 1)])
def test_cross_products_along_any_dim(workers, shape, dim):
    torch.manual_seed(0)
    x, y = torch.randn(shape, dtype=torch.float64), torch.randn(shape, dtype=torch.float64)
    first = gotorch.cross(pair(x), pair(y), dim)
    assert torch.allclose(torch.from_numpy(first.numpy().copy()), torch.cross(x, y, dim), atol=1e-15)
    for n in (1, 2, 3, 8):
        workers(n)
        assert gotorch.equal(gotorch.cross(pair(x), pair(y), dim), first)
    x, y = (torch.arange(v.numel()).reshape(shape) for v in (x, y))
    same(gotorch.cross(pair(x), pair(y), dim), torch.cross(x, y, dim))
