"""Layers against PyTorch: one table of constructor arguments and inputs."""

import copy
import inspect
import pickle

import gotorch
import numpy as np
import pytest

torch = pytest.importorskip("torch")

import layer_cases  # noqa: E402
from layer_cases import TABLE  # noqa: E402

CASES = [
    pytest.param(name, *case[0], case[1:], id=f"{name}-{i}") for name in TABLE for i, case in enumerate(TABLE[name])
]


def made(t, name, args, kwargs, seed=7):
    """The layer; of the options, arrays as tensors and dtypes by name."""

    def option(key, value):
        if isinstance(value, layer_cases.Uniform):
            return t.tensor(layer_cases.data(value, 5))
        return getattr(t, value) if key == "dtype" else value

    t.manual_seed(seed)
    args = [option(None, value) for value in args]
    return getattr(t.nn, name)(*args, **{key: option(key, value) for key, value in kwargs.items()})


def tensors(t, specs, dtype):
    out = [t.tensor(layer_cases.data(spec, 10 + i, dtype)) for i, spec in enumerate(specs)]
    for x, spec in zip(out, specs):
        if x.is_floating_point() and not isinstance(spec, layer_cases.Signs):
            x.requires_grad_()
    return out


def run(t, layer, specs, dtype, seed=3):
    """The outputs and all gradients as arrays."""
    inputs = tensors(t, specs, dtype)
    t.manual_seed(seed)
    # Layers that work in place must not write to a leaf.
    y = layer(*[x * 1 if x.requires_grad else x for x in inputs])
    y, *indices = y if isinstance(y, tuple) else (y,)
    if y.requires_grad:
        weights = t.tensor(np.random.default_rng(1).normal(size=tuple(y.shape)).astype(dtype))
        (y * weights).sum().backward()
    grads = [x.grad for x in inputs] + [p.grad for p in layer.parameters()]
    return [y.detach().numpy(), *(i.numpy() for i in indices)] + [None if g is None else g.numpy() for g in grads]


def assert_same(ours, theirs):
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs):
        assert (a is None) == (b is None)
        if a is not None:
            assert a.shape == b.shape and a.dtype == b.dtype
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)


def state(layer):
    return {k: v.numpy() for k, v in layer.state_dict().items()}


@pytest.mark.parametrize("name, args, kwargs, specs", CASES)
def test_layer_is_pytorchs(name, args, kwargs, specs):
    dtype = kwargs.get("dtype", "float32")
    ours, theirs = (made(t, name, args, kwargs) for t in (gotorch, torch))
    assert repr(ours) == repr(theirs)
    assert list(state(ours)) == list(state(theirs))
    for key, value in state(theirs).items():
        np.testing.assert_array_equal(state(ours)[key], value)
    for key, value in vars(theirs).items():
        if not key.startswith("_") and isinstance(value, (int, float, str, tuple)):
            assert getattr(ours, key) == value, key
    assert [p.requires_grad for p in ours.parameters()] == [p.requires_grad for p in theirs.parameters()]
    for _ in range(2):
        assert_same(run(gotorch, ours, specs, dtype), run(torch, theirs, specs, dtype))
        ours.zero_grad(), theirs.zero_grad()
    assert_same(run(gotorch, ours.eval(), specs, dtype), run(torch, theirs.eval(), specs, dtype))
    for key, value in state(theirs).items():
        np.testing.assert_allclose(state(ours)[key], value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name, args, kwargs, specs", CASES)
def test_copies_of_layer(name, args, kwargs, specs):
    dtype = kwargs.get("dtype", "float32")
    ours = made(gotorch, name, args, kwargs).eval()
    expected = run(gotorch, ours, specs, dtype)
    for other in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert repr(other) == repr(ours) and not other.training
        other.zero_grad()
        assert_same(run(gotorch, other, specs, dtype), expected)
    fresh, theirs = made(gotorch, name, args, kwargs, seed=8).eval(), made(torch, name, args, kwargs, seed=8).eval()
    fresh.load_state_dict({k: gotorch.tensor(v) for k, v in state(ours).items()})
    theirs.load_state_dict({k: torch.tensor(v) for k, v in state(ours).items()})
    assert_same(run(gotorch, fresh, specs, dtype), expected)
    assert_same(run(torch, theirs, specs, dtype), expected)


def test_every_layer_is_in_the_table():
    classes = {name for name, value in vars(gotorch.nn).items() if isinstance(value, type)}
    others = {
        "Module",
        "Parameter",
        "Buffer",
        "Sequential",
        "ModuleList",
        "ModuleDict",
        "ParameterList",
        "ParameterDict",
        *gotorch.nn.recurrent.__all__,  # test_recurrent.py
        *gotorch.nn.transformer.__all__,  # test_transformer.py
    }
    assert sorted(classes - others - set(TABLE)) == []


def plain(value):
    """A default of ours as PyTorch writes it: one integer for a list of equal ones."""
    if isinstance(value, (tuple, list)) and value and all(v == value[0] for v in value):
        return value[0]
    return value


def parameters(function):
    return {p.name: p.default for p in inspect.signature(function).parameters.values()}


@pytest.mark.parametrize("name", sorted(TABLE))
def test_options_are_those_of_pytorch(name):
    theirs = parameters(getattr(torch.nn, name).__init__)
    for other in ("self", "device", "dtype", "args", "kwargs", "size_average", "reduce", "min_value", "max_value"):
        theirs.pop(other, None)
    params = getattr(gotorch.nn, name)._layer.params
    ours = {
        name: plain(default) if has_default else inspect.Parameter.empty for name, _, _, has_default, default in params
    }
    assert list(ours.items()) == list(theirs.items())


def their_signatures():
    """The functions that both libraries have and whose parameters Python can see in PyTorch."""
    for name, function in vars(torch.nn.functional).items():
        if not name.startswith("_") and callable(function) and hasattr(gotorch.nn.functional, name):
            try:
                params = parameters(function)
            except (TypeError, ValueError):
                continue
            if "args" not in params:
                yield pytest.param(name, params, id=name)


@pytest.mark.parametrize("name, theirs", their_signatures())
def test_parameters_of_functions_are_those_of_pytorch(name, theirs):
    theirs.pop("_stacklevel", None)
    function = getattr(gotorch.nn.functional, name)
    ops = [op for op in gotorch._C.op_table() if op["name"] == name]
    if inspect.isfunction(function):
        ours = parameters(function)
    else:
        # Of several forms, the one with PyTorch's names. All functions with an in-place form take `inplace`.
        candidates = [
            {p["name"]: plain(p["default"]) if p["has_default"] else inspect.Parameter.empty for p in op["params"]}
            for op in ops
        ]
        ours = next((c for c in candidates if set(c) <= set(theirs)), candidates[0])
        if ops[0]["has_inplace"] and "inplace" in theirs:
            ours["inplace"] = False
        theirs.pop("return_indices", None)
    assert list(ours.items()) == list(theirs.items())
