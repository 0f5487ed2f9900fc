"""embedding_bag beyond the table of ops: forms of the call, errors, frequencies."""

import gotorch
import numpy as np
import pytest

torch = pytest.importorskip("torch")

INDEX, OFFSETS = [1, 2, 4, 5, 2], [0, 2, 2]


def arguments(t, **changes):
    """input, weight and offsets with a weight that requires a gradient."""
    values = {"input": INDEX, "offsets": OFFSETS, **changes}
    made = {
        k: t.tensor(v) if isinstance(v, (list, np.ndarray)) else getattr(t, v[6:]) if str(v).startswith("dtype:") else v
        for k, v in values.items()
        if v is not None
    }
    made["weight"] = t.tensor(np.random.RandomState(3).normal(size=(6, 3)), requires_grad=True)
    return made


def result_and_gradients(t, **changes):
    a = arguments(t, **changes)
    if "per_sample_weights" in a:
        a["per_sample_weights"].requires_grad_()
    y = t.nn.functional.embedding_bag(**a)
    (y * t.arange(1, 1 + y.numel()).view(y.shape)).sum().backward()
    leaves = [a[k] for k in ("weight", "per_sample_weights") if k in a]
    return [y.detach().numpy(), *(x.grad.numpy() for x in leaves), a["weight"].detach().numpy()]


WEIGHTS = np.array([0.5, -1, 2, 0.25, 3])


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"mode": "sum", "padding_idx": 2},
        {"mode": "max", "padding_idx": 2},
        {"mode": "mean", "padding_idx": -4},
        {"mode": "sum", "per_sample_weights": WEIGHTS, "padding_idx": 4},
        {"include_last_offset": True, "offsets": [0, 1, 5]},
        {"include_last_offset": True, "offsets": [0, 1, 5], "mode": "sum", "per_sample_weights": WEIGHTS},
        {"input": [[1, 2], [3, 3]], "offsets": None, "mode": "max"},
        {"input": [[1, 2], [3, 0]], "offsets": None, "mode": "sum", "per_sample_weights": WEIGHTS[:4].reshape(2, 2)},
        {"max_norm": 1.0, "norm_type": 1.0},
        {"input": [], "offsets": [0, 0], "mode": "max"},
    ],
)
def test_forms_of_the_call_are_pytorchs(changes):
    if changes.get("input") == []:
        changes = {**changes, "input": np.array([], dtype=np.int64)}
    for a, b in zip(result_and_gradients(gotorch, **changes), result_and_gradients(torch, **changes)):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


BAD = {
    "no offsets": {"offsets": None},
    "offsets of a matrix": {"input": [[1, 2]]},
    "three dimensions": {"input": [[[1]]], "offsets": None},
    "offsets of two dimensions": {"offsets": [[0, 1]]},
    "offsets that start late": {"offsets": [1, 2]},
    "offsets beyond the input": {"offsets": [0, 6]},
    "index beyond the rows": {"input": [1, 6], "offsets": [0]},
    "negative index": {"input": [1, -1], "offsets": [0]},
    "unknown mode": {"mode": "median"},
    "max by frequency": {"mode": "max", "scale_grad_by_freq": True},
    "sparse max": {"mode": "max", "sparse": True},
    "weights of a mean": {"per_sample_weights": WEIGHTS},
    "too few weights": {"mode": "sum", "per_sample_weights": WEIGHTS[:3]},
    "weights of another dtype": {"mode": "sum", "per_sample_weights": WEIGHTS.astype(np.float32)},
    "indices of float": {"input": [1.0, 2.0], "offsets": [0]},
    "padding_idx beyond the rows": {"padding_idx": 6},
}


@pytest.mark.parametrize("case", sorted(BAD))
def test_errors_have_the_class_of_pytorch(case):
    with pytest.raises(Exception) as theirs:
        torch.nn.functional.embedding_bag(**arguments(torch, **BAD[case]))
    with pytest.raises(Exception) as ours:
        gotorch.nn.functional.embedding_bag(**arguments(gotorch, **BAD[case]))
    assert issubclass(ours.type, theirs.type)


def test_offsets_that_go_back_are_refused():
    # PyTorch may read them without a word.
    with pytest.raises(RuntimeError, match="have to ascend"):
        gotorch.nn.functional.embedding_bag(**arguments(gotorch, offsets=[0, 3, 2]))


def test_gradients_by_frequency_are_divided_by_the_number_of_uses():
    # As documented. PyTorch 2.13 divides by the count of another row where the counts differ.
    a = arguments(gotorch, mode="sum", scale_grad_by_freq=True)
    gotorch.nn.functional.embedding_bag(**a).sum().backward()
    np.testing.assert_allclose(a["weight"].grad.numpy()[:, 0], [0, 1, 1, 0, 1, 1])


def test_a_layer_from_a_given_weight():
    table = gotorch.tensor(np.random.RandomState(1).normal(size=(6, 3)))
    layer = gotorch.nn.EmbeddingBag.from_pretrained(table, mode="sum", padding_idx=2)
    assert not layer.weight.requires_grad and layer.mode == "sum" and layer.padding_idx == 2
    y = layer(gotorch.tensor(INDEX), offsets=gotorch.tensor(OFFSETS))
    np.testing.assert_allclose(y.numpy(), [table[1].numpy(), [0, 0, 0], (table[4] + table[5]).numpy()])
    assert gotorch.nn.EmbeddingBag.from_pretrained(table, False).weight.requires_grad
    with pytest.raises(AssertionError):
        gotorch.nn.EmbeddingBag.from_pretrained(table[0])
