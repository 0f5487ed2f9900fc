"""MultiheadAttention and the transformer's layers, against PyTorch."""

import copy
import math

import gotorch
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("numpy")

from op_cases import to_ours, to_theirs  # noqa: E402
from test_attention import assert_close  # noqa: E402

# PyTorch's layers warn about what they cannot speed up.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def pair(name, *args, seed=3, **kwargs):
    """The layer of both libraries after the same seed: the same initial values."""
    made = []
    for module in (gotorch, torch):
        module.manual_seed(seed)
        given = {k: v(module) if callable(v) else v for k, v in kwargs.items()}
        made.append(getattr(module.nn, name)(*args, **given))
    ours, theirs = made
    state, wanted = ours.state_dict(), theirs.state_dict()
    assert list(state) == list(wanted)
    for key in wanted:
        assert torch.equal(to_theirs(state[key]), wanted[key]), key
    return ours, theirs


def flat(result):
    return list(result) if isinstance(result, tuple) else [result]


def compare(ours, theirs, *given, seed=5, **options):
    """Results and gradients of a call of both, with the same random numbers."""
    torch.manual_seed(1)
    # The same tensor stays the same: then one product projects all three.
    own = {id(x): to_ours(x).requires_grad_() for x in given}
    leaves = {id(x): x.clone().requires_grad_() for x in given}
    call_ours = {k: to_ours(v) if isinstance(v, torch.Tensor) else v for k, v in options.items()}
    gotorch.manual_seed(seed)
    y = flat(ours(*(own[id(x)] for x in given), **call_ours))
    torch.manual_seed(seed)
    wanted = flat(theirs(*(leaves[id(x)] for x in given), **options))
    assert [t is None for t in y] == [t is None for t in wanted]
    for a, b in zip(y, wanted):
        if b is not None:
            assert_close(a, b)
    ours.zero_grad()
    theirs.zero_grad()
    torch.manual_seed(2)
    weight = torch.randn(wanted[0].shape)
    (y[0] * to_ours(weight)).sum().backward()
    (wanted[0] * weight).sum().backward()
    for x in given:
        assert_close(own[id(x)].grad, leaves[id(x)].grad, 1e-4)
    for (name, p), (_, t) in zip(ours.named_parameters(), theirs.named_parameters()):
        assert (p.grad is None) == (t.grad is None), name
        if t.grad is not None:
            assert_close(p.grad, t.grad, 1e-4, at_least=1)


OPTIONS = [
    {},
    {"bias": False},
    {"add_bias_kv": True},
    {"add_zero_attn": True},
    {"add_bias_kv": True, "add_zero_attn": True, "bias": False},
    {"kdim": 5, "vdim": 6},
    {"kdim": 5, "vdim": 6, "add_bias_kv": True, "bias": False},
    {"dropout": 0.4},
    {"batch_first": True},
    {"batch_first": True, "dropout": 0.2, "kdim": 5, "vdim": 8},
]


def attention_inputs(options, batched=True):
    lead = [(7, 3), (9, 3), (9, 3)]
    if not batched:
        lead = [s[:1] for s in lead]
    elif options.get("batch_first"):
        lead = [s[::-1] for s in lead]
    widths = (8, options.get("kdim", 8), options.get("vdim", 8))
    return [torch.randn(*s, w) for s, w in zip(lead, widths)]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(o) or "plain")
def test_multihead_attention(options, need_weights, training):
    ours, theirs = pair("MultiheadAttention", 8, 2, **options)
    ours.train(training), theirs.train(training)
    torch.manual_seed(0)
    q, k, v = attention_inputs(options)
    compare(ours, theirs, q, k, v, need_weights=need_weights)
    compare(ours, theirs, q, k, v, need_weights=need_weights, average_attn_weights=False)
    padding = torch.rand(3, 9) > 0.7
    padding[:, 0] = False
    compare(ours, theirs, q, k, v, need_weights=need_weights, key_padding_mask=padding)
    compare(
        ours, theirs, q, k, v, need_weights=need_weights, attn_mask=torch.randn(7, 9),
        key_padding_mask=torch.zeros(3, 9).masked_fill(padding, -math.inf),
    )  # fmt: skip
    compare(ours, theirs, q, k, v, need_weights=need_weights, attn_mask=torch.randn(6, 7, 9))
    unbatched = attention_inputs(options, False)
    compare(ours, theirs, *unbatched, need_weights=need_weights, attn_mask=torch.ones(7, 9).triu(1).bool())
    compare(ours, theirs, *unbatched, need_weights=need_weights, key_padding_mask=padding[0])


@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("batch_first", [True, False])
def test_self_attention_projects_once_and_knows_the_causal_mask(batch_first, need_weights):
    ours, theirs = pair("MultiheadAttention", 8, 4, batch_first=batch_first)
    torch.manual_seed(0)
    x, memory = torch.randn(6, 6, 8), torch.randn(6, 6, 8)
    causal = torch.full((6, 6), -math.inf).triu(1)
    compare(ours, theirs, x, x, x, need_weights=need_weights)
    compare(ours, theirs, x, memory, memory, need_weights=need_weights)
    compare(ours, theirs, x, x, x, need_weights=need_weights, attn_mask=causal, is_causal=True)


def test_double_precision_and_deep_copies():
    ours, theirs = pair("MultiheadAttention", 8, 2, dtype=lambda module: module.float64)
    x = torch.randn(5, 2, 8, dtype=torch.float64)
    twin = copy.deepcopy(ours)
    wanted = theirs(x, x, x)[0]
    for layer in (ours, twin):
        y = to_ours(x)
        assert_close(layer(y, y, y)[0], wanted, 1e-13)


def test_static_keys_and_values():
    ours, theirs = pair("MultiheadAttention", 8, 2)
    q = torch.randn(4, 3, 8)
    k, v = torch.randn(6, 5, 4), torch.randn(6, 5, 4)

    def call(module, layer, convert):
        return module.nn.functional.multi_head_attention_forward(
            convert(q), convert(q), convert(q), 8, 2, layer.in_proj_weight, layer.in_proj_bias, None, None, False, 0.0,
            layer.out_proj.weight, layer.out_proj.bias, static_k=convert(k), static_v=convert(v),
        )  # fmt: skip

    for a, b in zip(call(gotorch, ours, to_ours), call(torch, theirs, lambda x: x)):
        assert_close(a, b)


BAD_LAYERS = [(7, 2), (0, 2), (8, 0), (-8, 2)]


@pytest.mark.parametrize("sizes", BAD_LAYERS)
def test_bad_sizes_raise_what_pytorch_raises(sizes):
    with pytest.raises(Exception) as theirs:
        torch.nn.MultiheadAttention(*sizes)
    with pytest.raises(theirs.type):
        gotorch.nn.MultiheadAttention(*sizes)


BAD_CALLS = {
    "one dim": lambda t, q, k: ((q[0, 0], k[0, 0], k[0, 0]), {}),
    "four dims": lambda t, q, k: ((q[None], k[None], k[None]), {}),
    "unbatched query": lambda t, q, k: ((q[:, 0], k, k), {}),
    "unbatched keys": lambda t, q, k: ((q, k[:, 0], k[:, 0]), {}),
    "width": lambda t, q, k: ((t.randn(4, 3, 6), k, k), {}),
    "width of keys": lambda t, q, k: ((q, t.randn(5, 3, 6), t.randn(5, 3, 6)), {}),
    "lengths": lambda t, q, k: ((q, k, t.randn(6, 3, 8)), {}),
    "batch": lambda t, q, k: ((q, k[:, :2], k[:, :2]), {}),
    "mask": lambda t, q, k: ((q, k, k), {"attn_mask": t.zeros(4, 4)}),
    "mask of heads": lambda t, q, k: ((q, k, k), {"attn_mask": t.zeros(3, 4, 5)}),
    "mask dims": lambda t, q, k: ((q, k, k), {"attn_mask": t.zeros(1, 3, 4, 5)}),
    "integer mask": lambda t, q, k: ((q, k, k), {"attn_mask": t.zeros(4, 5).long()}),
    "padding": lambda t, q, k: ((q, k, k), {"key_padding_mask": t.zeros(5, 3).bool()}),
    "padding length": lambda t, q, k: ((q, k, k), {"key_padding_mask": t.zeros(3, 4).bool()}),
    "integer padding": lambda t, q, k: ((q, k, k), {"key_padding_mask": t.zeros(3, 5).long()}),
    "padding dims": lambda t, q, k: ((q, k, k), {"key_padding_mask": t.zeros(5).bool()}),
    "unbatched padding": lambda t, q, k: (
        (q[:, 0], k[:, 0], k[:, 0]),
        {"key_padding_mask": t.zeros(3, 5).bool()},
    ),
    "unbatched mask": lambda t, q, k: ((q[:, 0], k[:, 0], k[:, 0]), {"attn_mask": t.zeros(3, 4, 5)}),
    "causal without a mask": lambda t, q, k: ((q, q, q), {"is_causal": True}),
    "dtype": lambda t, q, k: ((q.double(), k.double(), k.double()), {}),
}


@pytest.mark.parametrize("name", BAD_CALLS)
def test_bad_calls_raise_what_pytorch_raises(name):
    def call(module):
        layer = module.nn.MultiheadAttention(8, 2)
        args, kwargs = BAD_CALLS[name](module, module.randn(4, 3, 8), module.randn(5, 3, 8))
        layer(*args, **kwargs)

    with pytest.raises(Exception) as theirs:
        call(torch)
    with pytest.raises(theirs.type):
        call(gotorch)


LAYERS = [
    {},
    {"norm_first": True, "activation": "gelu"},
    {"batch_first": True, "bias": False},
    {"dropout": 0.0, "layer_norm_eps": 1e-3, "activation": lambda module: module.tanh},
]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("options", LAYERS, ids=lambda o: "-".join(o) or "plain")
def test_layers_of_encoder_and_decoder(options, training):
    torch.manual_seed(0)
    src, tgt = torch.randn(5, 5, 8), torch.randn(5, 5, 8)
    causal = torch.nn.Transformer.generate_square_subsequent_mask(5)
    padding = torch.zeros(5, 5, dtype=torch.bool)
    padding[1, 3:] = True
    ours, theirs = pair("TransformerEncoderLayer", 8, 2, 16, **options)
    ours.train(training), theirs.train(training)
    compare(ours, theirs, src)
    compare(ours, theirs, src, src_mask=causal, is_causal=True)
    compare(ours, theirs, src, src_mask=causal, src_key_padding_mask=padding)
    ours, theirs = pair("TransformerDecoderLayer", 8, 2, 16, **options)
    ours.train(training), theirs.train(training)
    compare(ours, theirs, tgt, src)
    compare(ours, theirs, tgt, src, tgt_mask=causal, tgt_is_causal=True, memory_key_padding_mask=padding)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_transformer(training, batch_first):
    ours, theirs = pair("Transformer", 8, 2, 2, 2, 16, dropout=0.2, batch_first=batch_first)
    assert repr(ours).replace("Linear", "") == repr(theirs).replace("NonDynamicallyQuantizable", "").replace(
        "Linear", ""
    )
    ours.train(training), theirs.train(training)
    torch.manual_seed(0)
    src, tgt = (
        (torch.randn(3, 6, 8), torch.randn(3, 4, 8)) if batch_first else (torch.randn(6, 3, 8), torch.randn(4, 3, 8))
    )
    causal = torch.nn.Transformer.generate_square_subsequent_mask(4)
    compare(ours, theirs, src, tgt)
    compare(ours, theirs, src, tgt, tgt_mask=causal)
    compare(ours, theirs, src, tgt, src_mask=torch.randn(6, 6), memory_mask=torch.randn(4, 6), tgt_is_causal=False)
    compare(ours, theirs, torch.randn(6, 8), torch.randn(4, 8))


def test_encoder_and_decoder_by_themselves():
    for module in (gotorch, torch):
        module.manual_seed(0)
    nn = [m.nn for m in (gotorch, torch)]
    encoders = [n.TransformerEncoder(n.TransformerEncoderLayer(8, 2, 16), 3) for n in nn]
    decoders = [n.TransformerDecoder(n.TransformerDecoderLayer(8, 2, 16), 2, n.LayerNorm(8)) for n in nn]
    for ours, theirs in (encoders, decoders):
        assert list(ours.state_dict()) == list(theirs.state_dict())
    x, memory = torch.randn(5, 2, 8), torch.randn(4, 2, 8)
    mask = torch.nn.Transformer.generate_square_subsequent_mask(5)
    compare(*encoders, x, mask=mask, is_causal=True)
    compare(*encoders, x, mask=mask)
    compare(*encoders, x, mask=mask.bool(), src_key_padding_mask=torch.zeros(2, 5))
    compare(*decoders, x, memory, tgt_mask=mask)


def test_the_state_of_one_library_is_the_others(tmp_path):
    ours, theirs = pair("Transformer", 8, 2, 1, 1, 16)
    torch.manual_seed(9)
    other = torch.nn.Transformer(8, 2, 1, 1, 16)
    torch.save(other.state_dict(), tmp_path / "state.pt")
    ours.load_state_dict(gotorch.load(tmp_path / "state.pt"))
    src, tgt = torch.randn(3, 2, 8), torch.randn(4, 2, 8)
    assert_close(ours.eval()(to_ours(src), to_ours(tgt)), other.eval()(src, tgt))


def test_the_causal_mask():
    generate = gotorch.nn.Transformer.generate_square_subsequent_mask
    for size, dtype in ((0, "float32"), (1, "float32"), (4, "float64")):
        wanted = torch.nn.Transformer.generate_square_subsequent_mask(size, dtype=getattr(torch, dtype))
        mask = generate(size, dtype=getattr(gotorch, dtype))
        assert torch.equal(to_theirs(mask), wanted)
        assert str(mask.dtype) == str(wanted.dtype)
    with pytest.raises(RuntimeError):
        generate(-1)


def test_bad_transformers_raise_what_pytorch_raises():
    bad = [
        lambda t: t.nn.TransformerEncoderLayer(8, 2, 16, activation="tanh"),
        lambda t: t.nn.Transformer(8, 2, 1, 1, 16)(t.randn(3, 2, 8), t.randn(4, 2, 6)),
        lambda t: t.nn.Transformer(8, 2, 1, 1, 16)(t.randn(3, 2, 8), t.randn(4, 3, 8)),
        lambda t: t.nn.TransformerEncoderLayer(8, 2, 16)(t.randn(8)),
        lambda t: t.nn.TransformerEncoderLayer(8, 2, 16)(t.randn(3, 2, 8), t.zeros(2, 2)),
        lambda t: t.nn.TransformerEncoderLayer(8, 2, 16)(t.randn(3, 2, 8), t.zeros(3, 3).long()),
        lambda t: t.nn.TransformerEncoderLayer(8, 2, 16)(t.randn(3, 2, 8), is_causal=True),
    ]
    for call in bad:
        with pytest.raises(Exception) as theirs:
            call(torch)
        with pytest.raises(theirs.type):
            call(gotorch)
