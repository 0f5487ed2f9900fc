"""Products of narrow types against PyTorch and against float64, in the layouts that Python makes."""

import gotorch
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("numpy")

from op_cases import to_ours, to_theirs  # noqa: E402

SHAPES = [(1, 7, 1), (3, 5, 2), (8, 16, 16), (33, 77, 55), (64, 64, 64), (5, 1, 9), (0, 4, 3), (4, 0, 3), (70, 301, 40)]


def matrices(m, k, n, turned, dtype):
    torch.manual_seed(m + k + n)
    a = torch.randn(k, m).to(dtype).mT if turned & 1 else torch.randn(m, k).to(dtype)
    b = torch.randn(n, k).to(dtype).mT if turned & 2 else torch.randn(k, n).to(dtype)
    return a, b


def ours(x):
    """The same values in the same layout."""
    return to_ours(x.mT.contiguous()).mT if x.dim() == 2 and not x.is_contiguous() else to_ours(x)


@pytest.mark.parametrize("turned", range(4))
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("shape", SHAPES)
def test_half_products_round_once(shape, dtype, turned):
    a, b = matrices(*shape, turned, dtype)
    exact = a.double() @ b.double()
    size = a.double().abs() @ b.double().abs()
    got = to_theirs(ours(a) @ ours(b))
    assert got.dtype == dtype
    bound = (
        exact.abs() * torch.finfo(dtype).eps / 2 + size * (shape[1] + 4) * 2**-24 + torch.finfo(dtype).smallest_normal
    )
    assert ((got.double() - exact).abs() <= bound).all()


def test_a_half_linear_adds_its_bias_before_it_rounds():
    x, w = matrices(20, 30, 40, 0, torch.bfloat16)[0], matrices(40, 30, 1, 0, torch.bfloat16)[0]
    b = torch.randn(40).bfloat16()
    exact = x.double() @ w.double().mT + b.double()
    got = to_theirs(gotorch.nn.functional.linear(ours(x), ours(w), ours(b))).double()
    assert ((got - exact).abs() <= exact.abs() * 2**-8 + 1e-4).all()


def test_half_batches_are_their_matrices():
    a, b = torch.randn(3, 20, 33).bfloat16(), torch.randn(3, 33, 25).bfloat16()
    batch = gotorch.bmm(to_ours(a), to_ours(b))
    for z in range(3):
        assert gotorch.equal(batch[z], to_ours(a)[z] @ to_ours(b)[z])
    shared = gotorch.matmul(to_ours(a), to_ours(b[0]))
    assert gotorch.equal(shared[1], to_ours(a)[1] @ to_ours(b)[0])


@pytest.mark.parametrize("turned", range(4))
@pytest.mark.parametrize("shape", SHAPES)
def test_int8_products_are_exact(shape, turned):
    m, k, n = shape
    a = torch.randint(-128, 128, (k, m) if turned & 1 else (m, k), dtype=torch.int8)
    b = torch.randint(-128, 128, (n, k) if turned & 2 else (k, n), dtype=torch.int8)
    a, b = a.mT if turned & 1 else a, b.mT if turned & 2 else b
    got = gotorch._int_mm(ours(a), ours(b))
    assert got.dtype == gotorch.int32
    assert (to_theirs(got) == a.int() @ b.int()).all()


def test_int8_products_refuse_what_they_cannot_multiply():
    a, b = gotorch.ones(2, 3, dtype=gotorch.int8), gotorch.ones(3, 2, dtype=gotorch.int8)
    for x, y in ((a, b.int()), (a.int(), b), (a, a), (a[0], b), (a.float(), b.float())):
        with pytest.raises(RuntimeError):
            gotorch._int_mm(x, y)
