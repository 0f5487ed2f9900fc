"""Random numbers written in place: PyTorch's for the same seed, whatever the strides."""

import gotorch
import pytest

torch = pytest.importorskip("torch")

FILLS = {
    "exponential": lambda x: x.exponential_(1.5),
    "cauchy": lambda x: x.cauchy_(0.5, 2),
    "geometric": lambda x: x.geometric_(0.3),
    "log_normal": lambda x: x.log_normal_(0.5, 0.25),
    "normal": lambda x: x.normal_(1, 2),
    "uniform": lambda x: x.uniform_(-1, 3),
    "bernoulli": lambda x: x.bernoulli_(0.3),
    "random": lambda x: x.random_(),
    "random_to": lambda x: x.random_(9),
}
LAYOUTS = {
    "contiguous": lambda t, n, dtype: t.zeros(4, n, dtype=dtype),
    "transposed": lambda t, n, dtype: t.zeros(n, 4, dtype=dtype).t(),
    "strided": lambda t, n, dtype: t.zeros(4, 2 * n, dtype=dtype)[:, ::2],
    "rows_apart": lambda t, n, dtype: t.zeros(4, n + 3, dtype=dtype)[:, :n],
    "columns_apart": lambda t, n, dtype: t.zeros(n, 8, dtype=dtype)[:, ::2].t(),
    "permuted": lambda t, n, dtype: t.zeros(2, n, 3, dtype=dtype).permute(2, 0, 1),
}


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("fill", FILLS)
def test_fills_draw_in_the_order_of_memory(fill, layout, dtype):
    # Around 16 numbers PyTorch goes from one algorithm to another.
    for n in (1, 2, 3, 4, 5, 8, 40):
        results = []
        for t in (gotorch, torch):
            t.manual_seed(3)
            x = LAYOUTS[layout](t, n, getattr(t, dtype))
            assert FILLS[fill](x) is x
            results.append(x.double().tolist() + [t.rand(1).item()])
        torch.testing.assert_close(torch.tensor(results[0][:-1]), torch.tensor(results[1][:-1]))
        assert results[0][-1] == results[1][-1]  # as many words were drawn


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_draws_without_replacement(dtype):
    # Short types have many equal quotients: which comes first decides what is drawn.
    for n, count in ((5, 2), (40, 40), (300, 3), (1000, 100)):
        weights = torch.rand(20, n, generator=torch.Generator().manual_seed(n)) + 0.1
        drawn = []
        for t in (gotorch, torch):
            t.manual_seed(4)
            drawn.append(t.multinomial(t.tensor(weights.tolist()).to(getattr(t, dtype)), count).tolist())
        assert drawn[0] == drawn[1]
