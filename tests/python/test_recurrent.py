"""Recurrent layers and packed sequences against PyTorch."""

import copy
import pickle

import gotorch
import numpy as np
import pytest

torch = pytest.importorskip("torch")


def options(*args, **kwargs):
    return args, kwargs


# (class, constructor arguments): inputs are 4 wide.
LAYERS = [
    ("RNN", options(4, 5)),
    ("RNN", options(4, 5, 2, "relu", False)),
    ("RNN", options(4, 5, 2, nonlinearity="relu", batch_first=True, bidirectional=True)),
    ("LSTM", options(4, 5)),
    ("LSTM", options(4, 5, 3, bias=False)),
    ("LSTM", options(4, 5, 2, batch_first=True, bidirectional=True)),
    ("LSTM", options(4, 5, proj_size=3)),
    ("LSTM", options(4, 5, 2, proj_size=3, bidirectional=True, bias=False, batch_first=True)),
    ("GRU", options(4, 5)),
    ("GRU", options(4, 5, 2, False, True)),
    ("GRU", options(4, 5, 2, bidirectional=True)),
]
CELLS = [
    ("RNNCell", options(4, 5)),
    ("RNNCell", options(4, 5, False, "relu")),
    ("LSTMCell", options(4, 5)),
    ("LSTMCell", options(4, 5, bias=False)),
    ("GRUCell", options(4, 5)),
    ("GRUCell", options(4, 5, False)),
]


def ids(cases):
    return [f"{name}{i}" for i, (name, _) in enumerate(cases)]


def both(name, args, kwargs, dtype="float64"):
    """The layer of each library from the same seed."""
    layers = []
    for t in (gotorch, torch):
        t.manual_seed(7)
        layers.append(getattr(t.nn, name)(*args, **kwargs, dtype=getattr(t, dtype)))
    return layers


def random(shape, seed=0, dtype="float64"):
    return np.random.RandomState(seed).uniform(-1, 1, shape).astype(dtype)


def flat(result):
    if isinstance(result, (tuple, list)):
        return [x for r in result for x in flat(r)]
    return [] if result is None else [result]


def states_of(layer, batch, seed=5):
    """hx as arrays."""
    count = layer.num_layers * (2 if layer.bidirectional else 1)
    shape = (count, batch) if batch else (count,)
    h = random((*shape, layer.proj_size or layer.hidden_size), seed)
    return (h, random((*shape, layer.hidden_size), seed + 1)) if layer.mode == "LSTM" else h


def mapped(f, value):
    return tuple(f(v) for v in value) if isinstance(value, tuple) else None if value is None else f(value)


def outputs_and_gradients(t, layer, x, hx, wrap=lambda x: x):
    """All results, and the gradients of a weighted sum of them for the input, the state and the weights."""
    x = t.tensor(x).requires_grad_()
    hx = mapped(lambda h: t.tensor(h).requires_grad_(), hx)
    layer.zero_grad()
    results = [y for y in flat(layer(wrap(x), hx)) if y.is_floating_point()]
    loss = sum((y * t.tensor(random(tuple(y.shape), 9 + i, str(y.dtype)[6:]))).sum() for i, y in enumerate(results))
    loss.backward()
    leaves = [x, *flat(hx), *layer.parameters()]
    return [y.detach().numpy() for y in results] + [leaf.grad.numpy() for leaf in leaves]


def assert_close(ours, theirs, rtol=1e-9, atol=1e-12):
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs):
        assert a.shape == b.shape and a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


def compare(layers, x, hx=None, wraps=(lambda x: x,) * 2, **bounds):
    got = [outputs_and_gradients(t, m, x, hx, wrap) for t, m, wrap in zip((gotorch, torch), layers, wraps)]
    assert_close(*got, **bounds)


@pytest.mark.parametrize("name, made", LAYERS + CELLS, ids=ids(LAYERS + CELLS))
def test_weights_and_printed_form_are_pytorchs(name, made):
    ours, theirs = both(name, *made, dtype="float32")
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for key, value in theirs.state_dict().items():
        np.testing.assert_array_equal(ours.state_dict()[key].numpy(), value.numpy())
    for key, value in vars(theirs).items():
        if not key.startswith("_"):
            assert getattr(ours, key) == value, key
    if hasattr(theirs, "all_weights"):
        assert [[w.shape for w in ws] for ws in ours.all_weights] == [
            [w.shape for w in ws] for ws in theirs.all_weights
        ]


@pytest.mark.parametrize("given", [False, True], ids=["zero", "given"])
@pytest.mark.parametrize("batch", [None, 0, 1, 3])
@pytest.mark.parametrize("name, made", LAYERS, ids=ids(LAYERS))
def test_layer_computes_what_pytorchs_does(name, made, batch, given):
    layers = both(name, *made)
    shape = (6, 4) if batch is None else (batch, 6, 4) if layers[0].batch_first else (6, batch, 4)
    compare(layers, random(shape), states_of(layers[0], batch) if given and batch != 0 else None)


@pytest.mark.parametrize("given", [False, True], ids=["zero", "given"])
@pytest.mark.parametrize("batch", [None, 3])
@pytest.mark.parametrize("name, made", CELLS, ids=ids(CELLS))
def test_cell_computes_what_pytorchs_does(name, made, batch, given):
    shape = (batch,) if batch else ()
    h, c = random((*shape, 5), 3), random((*shape, 5), 4)
    compare(both(name, *made), random((*shape, 4)), None if not given else (h, c) if name == "LSTMCell" else h)


@pytest.mark.parametrize("given", [False, True], ids=["zero", "given"])
@pytest.mark.parametrize("lengths", [[6, 4, 4, 1], [2, 6, 1, 3]], ids=["sorted", "unsorted"])
@pytest.mark.parametrize("name, made", LAYERS, ids=ids(LAYERS))
def test_packed_sequences_give_what_they_give_in_pytorch(name, made, lengths, given):
    layers = both(name, *made)
    first = layers[0].batch_first

    def packing(t):
        pack = t.nn.utils.rnn.pack_padded_sequence
        return lambda x: pack(x, lengths, batch_first=first, enforce_sorted=lengths[0] == 6)

    shape = (4, 6, 4) if first else (6, 4, 4)
    hx = states_of(layers[0], 4) if given else None
    compare(layers, random(shape), hx, [packing(t) for t in (gotorch, torch)])


@pytest.mark.parametrize("hidden", [1, 15, 16, 17, 33, 100])
@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_sizes_around_those_of_tiles(name, hidden):
    layers = both(name, (4, hidden, 2), {}, "float32")
    compare(layers, random((5, 9, 4), dtype="float32"), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype, bound", [("float16", 2e-3), ("bfloat16", 2e-2)])
@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_16_bit_floats_are_computed_in_float32(name, dtype, bound):
    exact, _ = both(name, (4, 5), {}, "float32")
    layer = copy.deepcopy(exact).to(getattr(gotorch, dtype))
    x = gotorch.tensor(random((6, 3, 4), dtype="float32")).to(getattr(gotorch, dtype))
    y, want = layer(x)[0], exact(x.float())[0]
    assert y.dtype is x.dtype
    np.testing.assert_allclose(y.detach().float().numpy(), want.detach().numpy(), rtol=bound, atol=bound)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_dropout_draws_the_numbers_of_pytorch(name, batch_first):
    layers = both(name, (4, 5, 3), {"dropout": 0.4, "batch_first": batch_first})
    for t in (gotorch, torch):
        t.manual_seed(11)
    compare(layers, random((6, 3, 4)))
    for layer in layers:
        layer.eval()
    compare(layers, random((6, 3, 4)))


# One where sequences are shared out, one where the units of each step are.
@pytest.mark.parametrize("name, batch, hidden, steps", [("LSTM", 13, 40, 30), ("GRU", 20, 200, 5), ("RNN", 9, 600, 4)])
def test_bits_do_not_depend_on_the_number_of_workers(name, batch, hidden, steps):
    layer, _ = both(name, (4, hidden), {}, "float32")
    lengths = sorted((1 + 7 * i % steps for i in range(batch)), reverse=True)
    x, results = random((lengths[0], batch, 4), dtype="float32"), []

    def pack(x):
        return gotorch.nn.utils.rnn.pack_padded_sequence(x, lengths)

    before = gotorch.get_num_threads()
    try:
        for workers in (1, 2, 3, 8):
            gotorch.set_num_threads(workers)
            results.append(
                [a.tobytes() for w in (pack, lambda x: x) for a in outputs_and_gradients(gotorch, layer, x, None, w)]
            )
    finally:
        gotorch.set_num_threads(before)
    assert all(r == results[0] for r in results)


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_infinities_and_nans_stay_with_their_sequence(name):
    layer, _ = both(name, (4, 20), {}, "float32")
    x = random((5, 3, 4), dtype="float32")
    plain = layer(gotorch.tensor(x))[0].detach().numpy()
    x[2, 1, 0] = np.nan
    y = layer(gotorch.tensor(x))[0].detach().numpy()
    assert np.isnan(y[2:, 1]).all()
    np.testing.assert_array_equal(y[:2], plain[:2])
    np.testing.assert_array_equal(y[:, [0, 2]], plain[:, [0, 2]])


@pytest.mark.parametrize("name, made", LAYERS + CELLS, ids=ids(LAYERS + CELLS))
def test_copies_compute_the_same(name, made):
    layer, _ = both(name, *made)
    x = gotorch.tensor(random((3, 6, 4) if hasattr(layer, "num_layers") else (3, 4)))
    want = [y.detach().numpy() for y in flat(layer(x))]
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert repr(other) == repr(layer)
        assert_close([y.detach().numpy() for y in flat(other(x))], want, rtol=0, atol=0)


def test_backward_twice_through_the_same_graph():
    layer, _ = both("LSTM", (4, 5), {})
    x = gotorch.tensor(random((6, 3, 4)), requires_grad=True)
    y = layer(x)[0].sum()
    first, second = (gotorch.autograd.grad(y, [x], retain_graph=True)[0] for _ in range(2))
    np.testing.assert_array_equal(first.numpy(), second.numpy())


X, STATE = random((5, 3, 4), dtype="float32"), random((1, 3, 5), dtype="float32")
BAD_LAYERS = {
    "no hidden units": lambda t: t.nn.LSTM(4, 0),
    "no layers": lambda t: t.nn.LSTM(4, 5, 0),
    "dropout above 1": lambda t: t.nn.GRU(4, 5, dropout=2),
    "projection of GRU": lambda t: t.nn.GRU(4, 5, proj_size=2),
    "large projection": lambda t: t.nn.LSTM(4, 5, proj_size=5),
    "negative projection": lambda t: t.nn.LSTM(4, 5, proj_size=-1),
    "hidden_size of float": lambda t: t.nn.LSTM(4, 5.0),
    "nonlinearity": lambda t: t.nn.RNN(4, 5, nonlinearity="x"),
    "width": lambda t: t.nn.LSTM(3, 5)(t.tensor(X)),
    "four dimensions": lambda t: t.nn.LSTM(4, 5)(t.tensor(X[None])),
    "dtype": lambda t: t.nn.LSTM(4, 5)(t.tensor(X).double()),
    "size of c": lambda t: t.nn.LSTM(4, 5)(t.tensor(X), (t.tensor(STATE), t.zeros(1, 3, 6))),
    "dimensions of hx": lambda t: t.nn.LSTM(4, 5)(t.tensor(X), (t.zeros(3, 5), t.zeros(3, 5))),
    "unbatched, hx batched": lambda t: t.nn.GRU(4, 5)(t.tensor(X[0]), t.tensor(STATE)),
    "layers of hx": lambda t: t.nn.GRU(4, 5)(t.tensor(X), t.zeros(2, 3, 5)),
    "no steps": lambda t: t.nn.GRU(4, 5)(t.tensor(X[:0])),
    "one state of two": lambda t: t.lstm(t.tensor(X), [t.tensor(STATE)], [], False, 1, 0.0, False, False, False),
    "too few weights": lambda t: t.gru(t.tensor(X), t.tensor(STATE), [], False, 1, 0.0, False, False, False),
    "nonlinearity of a cell": lambda t: t.nn.RNNCell(4, 5, nonlinearity="x")(t.tensor(X[0])),
    "cell, three dimensions": lambda t: t.nn.LSTMCell(4, 5)(t.tensor(X)),
    "cell, width": lambda t: t.nn.LSTMCell(4, 5)(t.zeros(3, 3)),
    "cell, one state": lambda t: t.nn.LSTMCell(4, 5)(t.tensor(X[0]), t.zeros(2, 5)),
    "cell, size of c": lambda t: t.nn.LSTMCell(4, 5)(t.tensor(X[0]), (t.zeros(3, 5), t.zeros(3, 4))),
    "cell, batch": lambda t: t.nn.GRUCell(4, 5)(t.tensor(X[0]), t.zeros(2, 5)),
    "unsorted": lambda t: t.nn.utils.rnn.pack_padded_sequence(t.tensor(X), [5, 3, 5]),
    "too few lengths": lambda t: t.nn.utils.rnn.pack_padded_sequence(t.tensor(X), [5, 3]),
    "length of 0": lambda t: t.nn.utils.rnn.pack_padded_sequence(t.tensor(X), [5, 3, 0]),
    "no sequences": lambda t: t.nn.utils.rnn.pack_sequence([]),
    "unsorted sequences": lambda t: t.nn.utils.rnn.pack_sequence([t.zeros(2, 1), t.zeros(3, 1)]),
    "short total_length": lambda t: t.nn.utils.rnn.pad_packed_sequence(
        t.nn.utils.rnn.pack_padded_sequence(t.tensor(X), [5, 3, 2]), total_length=3
    ),
    "packed, width": lambda t: t.nn.LSTM(3, 5)(t.nn.utils.rnn.pack_padded_sequence(t.tensor(X), [5, 3, 2])),
}


@pytest.mark.parametrize("case", sorted(BAD_LAYERS))
def test_errors_have_the_class_of_pytorch(case):
    with pytest.raises(Exception) as theirs:
        BAD_LAYERS[case](torch)
    with pytest.raises(theirs.type):
        BAD_LAYERS[case](gotorch)


def test_sizes_of_0_and_of_no_machine_end_at_once():
    layer = gotorch._C.internal._recurrent_layer
    nothing = layer(
        gotorch.zeros(2, 3, 0), gotorch.zeros(3, 0), None, gotorch.zeros(0, 0), gotorch.zeros(0, 0), None, None, "gru"
    )
    assert nothing[0].shape == (2, 3, 0)
    many = gotorch.zeros(2**50, 0, 4)
    assert gotorch.nn.GRU(4, 5)(many)[0].shape == (2**50, 0, 5)


def test_a_length_beyond_the_input_is_refused():
    with pytest.raises(RuntimeError, match="got 6"):
        gotorch.nn.utils.rnn.pack_padded_sequence(gotorch.tensor(X), [6, 3, 2])


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("lengths", [[5, 3, 1], [2, 5, 2]])
def test_packing_and_padding_are_pytorchs(lengths, batch_first):
    got = []
    for t in (gotorch, torch):
        rnn = t.nn.utils.rnn
        x = t.tensor(X if not batch_first else X.transpose(1, 0, 2).copy(), requires_grad=True)
        packed = rnn.pack_padded_sequence(x, t.tensor(lengths), batch_first, enforce_sorted=False)
        padded, back = rnn.pad_packed_sequence(packed, batch_first, padding_value=2.5, total_length=7)
        (padded * padded).sum().backward()
        again = rnn.pack_sequence(rnn.unpack_sequence(packed), enforce_sorted=False)
        tensors = [*packed, padded, back, *rnn.unpad_sequence(padded.clone(), back, batch_first), *again, x.grad]
        got.append([y.detach().numpy() for y in tensors])
    assert_close(*got)


def test_packed_sequence_is_a_tuple_with_conversions():
    packed = gotorch.nn.utils.rnn.pack_sequence([gotorch.ones(3, 2), gotorch.ones(2, 2)])
    data, sizes, order, back = packed
    assert data is packed.data and sizes.tolist() == [2, 2, 1] and order is None and back is None
    assert packed.double().data.dtype is gotorch.float64 and packed.double().batch_sizes is sizes
    assert packed.to(gotorch.float32) is packed and not packed.is_cuda
    again = pickle.loads(pickle.dumps(packed))
    assert type(again) is type(packed) and again.batch_sizes.tolist() == [2, 2, 1]


def language_model_losses(t, steps=40):
    """Of training on the next character of a text."""
    text = "the quick brown fox jumps over the lazy dog and runs away from it " * 4
    letters = sorted(set(text))
    tokens = t.tensor([letters.index(c) for c in text]).view(8, -1).t()
    t.manual_seed(2)
    nn = t.nn
    words, lstm, head = nn.Embedding(len(letters), 16), nn.LSTM(16, 24, 2, dropout=0.1), nn.Linear(24, len(letters))
    optimizer = t.optim.Adam([*words.parameters(), *lstm.parameters(), *head.parameters()], lr=1e-2)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        y, _ = lstm(words(tokens[:-1]))
        loss = nn.functional.cross_entropy(head(y).flatten(0, 1), tokens[1:].flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(lstm.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_losses_of_a_language_model_are_pytorchs():
    ours, theirs = language_model_losses(gotorch), language_model_losses(torch)
    assert ours == pytest.approx(theirs, rel=1e-3)
    assert ours[-1] < 0.7 * ours[0]
