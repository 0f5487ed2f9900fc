"""Windows as columns, norms of windows, and sampled categories, against PyTorch."""

import gotorch
import numpy as np
import pytest

torch = pytest.importorskip("torch")


def values(*shape):
    return np.random.RandomState(5).uniform(0.1, 1, shape).astype("float32")


def assert_same_with_gradient(function, *inputs, tolerance=1e-5):
    """function(module, *tensors) has PyTorch's value, and the gradients of its weighted sum."""
    results = []
    for module in (gotorch, torch):
        tensors = [module.tensor(x, requires_grad=True) for x in inputs]
        y = function(module, *tensors)
        (y * module.arange(y.numel()).reshape(y.shape)).sum().backward()
        results.append([y.detach().numpy()] + [t.grad.numpy() for t in tensors])
    for ours, theirs in zip(*results):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    "shape, arguments",
    [
        ((2, 3, 5, 6), ((2, 3),)),
        ((2, 3, 5, 6), (2, 1, 1, 2)),
        ((3, 5, 7), ((2, 2), (2, 3), (1, 2), (2, 1))),
        ((1, 1, 3, 3), (3,)),
    ],
)
def test_unfold_is_that_of_pytorch(shape, arguments):
    assert_same_with_gradient(lambda m, x: m.nn.functional.unfold(x, *arguments), values(*shape))


@pytest.mark.parametrize("arguments", [((5, 6), (2, 3)), ((5, 6), 2, 1, 1, 2), ((7, 5), (2, 2), 2, 1, (2, 1))])
def test_fold_adds_up_what_unfold_took(arguments):
    size, windows = arguments[0], arguments[1:]
    columns = torch.nn.functional.unfold(torch.zeros(2, 3, *size), *windows).shape
    assert_same_with_gradient(lambda m, x: m.nn.functional.fold(x, *arguments), values(*columns))


@pytest.mark.parametrize("ceil_mode", [False, True])
def test_power_pooling_is_that_of_pytorch(ceil_mode):
    x = values(2, 3, 7, 9)
    assert_same_with_gradient(lambda m, x: m.nn.functional.lp_pool2d(x, 2, (2, 3), 2, ceil_mode), x, tolerance=1e-4)
    assert_same_with_gradient(lambda m, x: m.nn.functional.lp_pool1d(x[0], 3.0, 2), x, tolerance=1e-4)


@pytest.mark.parametrize("hard", [False, True])
def test_gumbel_softmax_draws_what_pytorch_draws(hard):
    logits = values(4, 5)

    def sample(module, x):
        module.manual_seed(3)
        return module.nn.functional.gumbel_softmax(x, tau=0.7, hard=hard)

    assert_same_with_gradient(sample, logits)


def test_ctc_layer_takes_tensors_and_the_function_lists():
    """Losses and gradients of log_softmax's input, in all reductions."""
    scores, targets = np.random.RandomState(1).normal(size=(7, 2, 5)).astype("float32"), [[1, 2, 2], [3, 1, 4]]
    for reduction in ("none", "sum", "mean"):

        def loss(m, x):
            layer = m.nn.CTCLoss(reduction=reduction)
            y = layer(x.log_softmax(2), m.tensor(targets), m.tensor([7, 6]), m.tensor([3, 2]))
            listed = m.nn.functional.ctc_loss(
                x.log_softmax(2), m.tensor(targets), (7, 6), (3, 2), reduction=reduction
            )
            assert bool((y == listed).all())
            return y

        assert_same_with_gradient(loss, scores, tolerance=1e-4)


def test_impossible_sequences_have_an_infinite_loss_that_may_count_as_zero():
    for module in (gotorch, torch):
        x = module.zeros(2, 1, 3).log_softmax(2).requires_grad_()
        arguments = (module.tensor([[1, 1]]), module.tensor([2]), module.tensor([2]))
        assert float(module.nn.functional.ctc_loss(x.detach(), *arguments)) == float("inf")
        y = module.nn.functional.ctc_loss(x, *arguments, zero_infinity=True)
        y.backward()
        assert float(y.detach()) == 0 and not x.grad.any()


def test_distances_to_oneself_have_no_slope():
    for p in (1.0, 2.0, 3.0):
        assert_same_with_gradient(lambda m, x, p=p: m.cdist(x, x, p), values(4, 3), tolerance=1e-4)
