"""scaled_dot_product_attention and the layers built on it, against PyTorch."""

import math

import gotorch
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("numpy")

from op_cases import bits, to_ours, to_theirs  # noqa: E402

F, TF = gotorch.nn.functional, torch.nn.functional
# PyTorch's layers warn about what they cannot speed up.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def assert_close(ours, theirs, tolerance=2e-5, at_least=1e-3):
    """Within `tolerance` of the largest element, NaNs in the same places."""
    assert tuple(ours.shape) == tuple(theirs.shape)
    theirs = theirs.detach().double()
    scale = theirs.nan_to_num().abs().amax().item() if theirs.numel() else 1
    torch.testing.assert_close(
        to_theirs(ours).double(), theirs, rtol=0, atol=tolerance * max(scale, at_least), equal_nan=True
    )


def causal_too(mask, queries, keys):
    """PyTorch's mask with the causal one."""
    causal = torch.ones(queries, keys, dtype=torch.bool).tril()
    if mask is None:
        return causal
    return mask & causal if mask.dtype is torch.bool else mask.masked_fill(~causal, -math.inf)


def compare(q, k, v, mask=None, causal=False, tolerance=2e-5, **options):
    """Result and gradients in q's dtype against PyTorch's in float64."""
    theirs = [x.detach().clone().double().requires_grad_() for x in (q, k, v)]
    ours = [to_ours(x).requires_grad_() for x in (q, k, v)]
    wide = mask if mask is None or mask.dtype is torch.bool else mask.double()
    wide = causal_too(wide, q.shape[-2], k.shape[-2]) if causal else wide
    wanted = TF.scaled_dot_product_attention(*theirs, attn_mask=wide, **options)
    mask = None if mask is None else to_ours(mask)
    y = F.scaled_dot_product_attention(*ours, attn_mask=mask, is_causal=causal, **options)
    g = torch.randn(wanted.shape, dtype=q.dtype)
    wanted.backward(g.double())
    y.backward(to_ours(g))
    assert y.dtype is ours[0].dtype
    assert_close(y, wanted, tolerance)
    for x, t in zip(ours, theirs):
        assert_close(x.grad, t.grad, 3 * tolerance)


def inputs(*shapes, dtype=torch.float32):
    return [torch.randn(s, dtype=dtype) for s in shapes]


def mask_of(kind, q, k):
    queries, keys = q.shape[-2], k.shape[-2]
    if kind == "bool":
        return torch.rand(queries, keys) > 0.3
    if kind == "float":
        return torch.randn(*q.shape[:-1], keys)
    return torch.rand(q.shape[0], 1, 1, keys) > 0.3 if kind == "padding" else None


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)
    gotorch.manual_seed(0)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("mask", ["none", "bool", "float", "padding"])
@pytest.mark.parametrize("width", [(8, 8), (5, 7), (64, 64), (48, 33)])
@pytest.mark.parametrize(
    "lengths", [(1, 3), (31, 33), (32, 32), (65, 129), (128, 128), (130, 300), (300, 130), (257, 257)]
)
def test_all_forms_at_the_edges_of_tiles(lengths, width, mask, causal):
    (queries, keys), (e, v) = lengths, width
    q, k, v = inputs((2, 2, queries, e), (2, 2, keys, e), (2, 2, keys, v))
    compare(q, k, v, mask_of(mask, q, k), causal)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-13), (torch.bfloat16, 2e-2), (torch.float16, 2e-3)]
)
def test_other_dtypes(dtype, tolerance):
    q, k, v = inputs((2, 3, 70, 16), (2, 3, 130, 16), (2, 3, 130, 16), dtype=dtype)
    compare(q, k, v, tolerance=tolerance)
    compare(q, k, v, torch.rand(70, 130) > 0.5, causal=True, tolerance=tolerance)


@pytest.mark.parametrize(
    "shapes",
    [
        ((5, 8), (7, 8), (7, 6)),
        ((3, 5, 8), (7, 8), (3, 7, 8)),
        ((2, 3, 5, 8), (2, 1, 7, 8), (1, 3, 7, 8)),
        ((2, 1, 2, 3, 5, 8), (2, 3, 7, 8), (3, 7, 8)),
        ((2, 3, 0, 8), (2, 3, 4, 8), (2, 3, 4, 8)),
        ((2, 3, 4, 8), (2, 3, 0, 8), (2, 3, 0, 8)),
        ((0, 3, 4, 8), (0, 3, 4, 8), (0, 3, 4, 8)),
        ((2, 3, 4, 0), (2, 3, 4, 0), (2, 3, 4, 8)),
        ((2, 3, 4, 8), (2, 3, 4, 8), (2, 3, 4, 0)),
    ],
)
def test_batches_are_broadcast_and_sizes_may_be_zero(shapes):
    compare(*inputs(*shapes))


@pytest.mark.parametrize("heads", [(2, 2), (2, 1), (1, 2), (6, 6)])
@pytest.mark.parametrize("mask", ["none", "bool", "float"])
def test_grouped_heads(heads, mask):
    q, k, v = inputs((2, 6, 5, 8), (2, heads[0], 7, 8), (2, heads[1], 7, 8))
    compare(q, k, v, mask_of(mask, q, k), enable_gqa=True)


def test_a_scale_may_be_given():
    q, k, v = inputs((3, 5, 8), (3, 7, 8), (3, 7, 8))
    for scale in (0.0, -1.5, 3):
        compare(q, k, v, scale=scale)


def test_strided_inputs_and_the_layout_of_the_result():
    q, k, v = (torch.randn(2, 40, 3, 16).transpose(1, 2) for _ in range(3))
    ours = [to_ours(x.transpose(1, 2)).transpose(1, 2).requires_grad_() for x in (q, k, v)]
    y = F.scaled_dot_product_attention(*ours)
    assert y.stride() == TF.scaled_dot_product_attention(q, k, v).stride()
    packed = [to_ours(x.contiguous()).requires_grad_() for x in (q, k, v)]
    z = F.scaled_dot_product_attention(*packed)
    assert bits([y.contiguous()]) == bits([z])
    y.sum().backward()
    z.sum().backward()
    for a, b in zip(ours, packed):
        assert bits([a.grad.contiguous()]) == bits([b.grad])


def test_the_same_bits_at_any_worker_count():
    before = gotorch.get_num_threads()
    try:
        for shape in ((3, 300, 32), (1, 700, 24)):  # the latter in parts of the keys
            results = []
            for workers in (1, 2, 3, 8):
                gotorch.set_num_threads(workers)
                gotorch.manual_seed(1)
                q, k, v = (gotorch.randn(shape, requires_grad=True) for _ in range(3))
                y = F.scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=0.1)
                y.sum().backward()
                results.append(bits([y, q.grad, k.grad, v.grad]))
            assert all(r == results[0] for r in results)
    finally:
        gotorch.set_num_threads(before)


@pytest.mark.parametrize("shape", [(2, 3, 50, 16), (3, 40, 8), (20, 8)])
def test_dropout_draws_the_numbers_of_pytorch(shape):
    q, k, v = inputs(shape, shape, shape)
    theirs = [x.clone().requires_grad_() for x in (q, k, v)]
    ours = [to_ours(x).requires_grad_() for x in (q, k, v)]
    y = F.scaled_dot_product_attention(*ours, dropout_p=0.3)
    torch.manual_seed(0)
    wanted = TF.scaled_dot_product_attention(*theirs, dropout_p=0.3)
    assert_close(y, wanted)
    y.sum().backward()
    wanted.sum().backward()
    for x, t in zip(ours, theirs):
        assert_close(x.grad, t.grad)
    assert gotorch.rand(1).item() == torch.rand(1).item()
    assert not F.scaled_dot_product_attention(*ours, dropout_p=1.0).any()


def test_queries_that_may_look_at_nothing_give_zeros():
    q, k, v = (to_ours(x).requires_grad_() for x in inputs((2, 4, 8), (2, 5, 8), (2, 5, 8)))
    mask = gotorch.ones(4, 5, dtype=gotorch.bool)
    mask[1] = False
    for m in (mask, gotorch.zeros(4, 5).masked_fill(~mask, -math.inf)):
        y = F.scaled_dot_product_attention(q, k, v, m)
        assert not y[:, 1].any()
        gq, gk, gv = gotorch.autograd.grad(y.sum(), (q, k, v))
        assert not gq[:, 1].any()
        assert all(g.isfinite().all() for g in (gq, gk, gv))


def test_nan_and_infinity_stay_visible():
    for bad in (math.nan, math.inf):
        q, k, v = inputs((40, 8), (50, 8), (50, 8))
        q[3, 0] = bad
        y = to_theirs(F.scaled_dot_product_attention(to_ours(q), to_ours(k), to_ours(v)))
        assert y[3].isnan().all()
        assert y[torch.arange(40) != 3].isfinite().all()
        v[7, 2] = bad
        y = to_theirs(F.scaled_dot_product_attention(to_ours(k), to_ours(k), to_ours(v)))
        assert not y[:, 2].isfinite().any()
        assert y[:, 3].isfinite().all()


def test_scores_of_any_size_keep_their_digits():
    q, k, v = inputs((300, 16), (300, 16), (300, 16))
    compare(q * 30, k * 30, v, tolerance=2e-4)
    compare(q * 1e-20, k * 1e-20, v)


def test_gradients_of_gradients():
    q, k, v = inputs((2, 5, 4), (2, 7, 4), (2, 7, 3), dtype=torch.float64)
    mask = torch.randn(5, 7, dtype=torch.float64)
    mask[2] = -math.inf

    def second(module, leaves, y):
        first = module.autograd.grad((y * y).sum(), leaves, create_graph=True)
        return module.autograd.grad(sum((g * g).sum() for g in first), leaves)

    ours = [to_ours(x).requires_grad_() for x in (q, k, v)]
    theirs = [x.clone().requires_grad_() for x in (q, k, v)]
    got = second(gotorch, ours, F.scaled_dot_product_attention(*ours, to_ours(mask)))
    # PyTorch's fused gradient has no gradient, and its composed one none through a row that is masked.
    a, b, c = theirs
    dead = (mask == -math.inf).all(-1, keepdim=True)
    weights = torch.softmax((a @ b.mT / 2 + mask).masked_fill(dead, 0), -1).masked_fill(dead, 0)
    for x, t in zip(got, second(torch, theirs, weights @ c)):
        assert_close(x, t, 1e-12)


BAD_CALLS = [
    ("one dim", lambda t, q: (t.randn(4), t.randn(4), t.randn(4))),
    ("widths", lambda t, q: (q, t.randn(2, 3, 5, 9), t.randn(2, 3, 5, 9))),
    ("batches", lambda t, q: (q, t.randn(3, 3, 5, 8), t.randn(3, 3, 5, 8))),
    ("heads", lambda t, q: (t.randn(2, 4, 4, 8), t.randn(2, 2, 5, 8), t.randn(2, 2, 5, 8))),
    ("dtypes", lambda t, q: (q, q.double(), q)),
    ("integers", lambda t, q: (q.long(), q.long(), q.long())),
    ("mask dtype", lambda t, q: (q, q, q, t.ones(4, 4).long())),
    ("mask of doubles", lambda t, q: (q, q, q, t.ones(4, 4).double())),
    ("mask of bfloat16", lambda t, q: (q, q, q, t.ones(4, 4).bfloat16())),
    ("mask of one dim", lambda t, q: (q, q, q, t.ones(4))),
    ("mask size", lambda t, q: (q, q, q, t.ones(5, 4))),
    ("mask dims", lambda t, q: (q, q, q, t.ones(1, 2, 3, 4, 4))),
    ("no tensor", lambda t, q: (q, q, 3)),
    ("probability", lambda t, q: (q, q, q, None, 1.5)),
    ("negative probability", lambda t, q: (q, q, q, None, -0.5)),
]


@pytest.mark.parametrize("make", [c[1] for c in BAD_CALLS], ids=[c[0] for c in BAD_CALLS])
def test_bad_calls_raise_what_pytorch_raises(make):
    with pytest.raises(Exception) as theirs:
        TF.scaled_dot_product_attention(*make(torch, torch.randn(2, 3, 4, 8)))
    with pytest.raises(theirs.type):
        F.scaled_dot_product_attention(*make(gotorch, gotorch.randn(2, 3, 4, 8)))


@pytest.mark.parametrize("heads", [(3, 3), (4, 2), (0, 0)])
def test_groups_must_divide_the_heads(heads):
    q, k, v = gotorch.randn(2, 4, 4, 8), gotorch.randn(2, heads[0], 5, 8), gotorch.randn(2, heads[1], 5, 8)
    with pytest.raises(RuntimeError, match="heads"):
        F.scaled_dot_product_attention(q, k, v, enable_gqa=True)
    with pytest.raises(IndexError):
        F.scaled_dot_product_attention(q[0, 0], q[0, 0], q[0, 0], enable_gqa=True)


def test_keys_and_values_must_have_one_length():
    q = gotorch.randn(2, 4, 8)
    with pytest.raises(RuntimeError, match="length"):
        F.scaled_dot_product_attention(q, gotorch.randn(2, 5, 8), gotorch.randn(2, 6, 8))
