"""Autograd as Python programs use it, compared with PyTorch."""

import gc
import weakref

import gotorch
import pytest

torch = pytest.importorskip("torch")


def leaf(data, module=gotorch):
    return module.tensor(data, requires_grad=True)


def test_backward_adds_to_the_gradients_of_leaves():
    results = []
    for m in (gotorch, torch):
        x, y = leaf([1.0, 2.0, 3.0], m), leaf([4.0, 5.0, 6.0], m)
        z = (x * y + x / y - y.exp() * 0.01).sum()
        z.backward()
        (x * 2).sum().backward()
        results.append([x.grad.tolist(), y.grad.tolist()])
    for ours, theirs in zip(*results):
        assert ours == pytest.approx(theirs, rel=1e-6)


def test_the_same_gradient_is_the_same_object():
    x = leaf([1.0])
    (x * 2).sum().backward()
    assert x.grad is x.grad
    assert x.grad.requires_grad is False
    x.grad = None
    assert x.grad is None


def test_leaves_and_results():
    x = leaf([1.0, 2.0])
    y = x * 2
    assert x.is_leaf and not y.is_leaf
    assert x.grad_fn is None
    assert y.requires_grad
    assert y.grad_fn.name() == "MulBackward0"
    assert y.grad_fn == y.grad_fn
    (node, slot), *_ = y.grad_fn.next_functions
    assert node.name() == "AccumulateGrad"
    assert node.variable is x
    assert slot == 0
    assert "grad_fn=<MulBackward0>" in repr(y)


def test_requires_grad_is_refused_for_integers_and_results():
    with pytest.raises(RuntimeError):
        gotorch.tensor([1]).requires_grad_()
    y = leaf([1.0]) * 2
    with pytest.raises(RuntimeError):
        y.requires_grad = False
    x = gotorch.tensor([1.0])
    assert x.requires_grad_() is x
    with pytest.raises(TypeError):
        x.requires_grad = 1


def test_gradients_of_the_wrong_kind_are_refused():
    x = leaf([1.0, 2.0])
    for bad, error in (([1.0], RuntimeError), ("a", TypeError)):
        with pytest.raises(error):
            x.grad = gotorch.tensor(bad) if isinstance(bad, list) else bad
    with pytest.raises(TypeError):
        x.grad = gotorch.tensor([1, 2])


def test_results_of_several_elements_need_a_gradient():
    x = leaf([1.0, 2.0])
    with pytest.raises(RuntimeError, match="scalar outputs"):
        (x * 2).backward()
    (x * 2).backward(gotorch.tensor([1.0, 10.0]))
    assert x.grad.tolist() == [2.0, 20.0]
    with pytest.raises(RuntimeError, match="shape"):
        (x * 2).backward(gotorch.tensor([1.0]))


def test_backward_twice_needs_retain_graph():
    x = leaf([1.0, 2.0])
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [4.0, 8.0]
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()


def test_grad_returns_gradients_and_leaves_the_leaves_alone():
    x, unused = leaf([1.0, 2.0]), leaf([1.0])
    y = (x * x).sum()
    (g,) = gotorch.autograd.grad(y, x, create_graph=True)
    assert g.tolist() == [2.0, 4.0]
    (gg,) = gotorch.autograd.grad(g.sum(), x)
    assert gg.tolist() == [2.0, 2.0]
    assert x.grad is None
    with pytest.raises(RuntimeError, match="unused|not have been used"):
        gotorch.autograd.grad((x * 2).sum(), [x, unused])
    assert gotorch.autograd.grad((x * 2).sum(), [unused], allow_unused=True) == (None,)
    zeros = gotorch.autograd.grad((x * 2).sum(), [unused], materialize_grads=True)
    assert zeros[0].tolist() == [0.0]


def test_backward_to_chosen_inputs():
    x, y = leaf([1.0]), leaf([2.0])
    (x * y).backward(inputs=[x])
    assert x.grad.tolist() == [2.0]
    assert y.grad is None


@pytest.mark.parametrize("m", [gotorch, torch], ids=["gotorch", "torch"])
def test_modes_as_contexts_and_decorators(m):
    x = leaf([1.0], m)
    with m.no_grad():
        assert not m.is_grad_enabled()
        assert not (x * 2).requires_grad
        with m.enable_grad():
            assert (x * 2).requires_grad
        assert not m.is_grad_enabled()
    assert m.is_grad_enabled()

    @m.no_grad()
    def f(x):
        """Doubles."""
        return x * 2

    @m.no_grad
    def g(x):
        return x * 2

    @m.no_grad()
    def steps():
        for _ in range(2):
            yield m.is_grad_enabled()

    assert f.__doc__ == "Doubles."
    assert not f(x).requires_grad and not g(x).requires_grad
    for enabled in steps():
        assert not enabled
        assert m.is_grad_enabled()
    with m.set_grad_enabled(False):
        assert not m.is_grad_enabled()
    assert m.is_grad_enabled()
    m.set_grad_enabled(False)
    assert not m.is_grad_enabled()
    m.set_grad_enabled(True)
    context = m.no_grad()
    with m.no_grad(), context:
        pass
    assert m.is_grad_enabled()
    with pytest.raises(ValueError), m.no_grad():
        raise ValueError
    assert m.is_grad_enabled()
    with m.inference_mode():
        y = x * 2
        assert m.is_inference_mode_enabled()
    assert not y.requires_grad
    assert y.is_inference()
    with pytest.raises(RuntimeError):
        y.requires_grad_()
    with m.inference_mode(False):
        assert m.is_grad_enabled()


@pytest.mark.parametrize("m", [gotorch, torch], ids=["gotorch", "torch"])
def test_detach_and_data_share_memory(m):
    x = leaf([1.0, 2.0], m)
    y = x.detach()
    assert not y.requires_grad and y.data_ptr() == x.data_ptr()
    x.data.mul_(2)
    assert x.tolist() == [2.0, 4.0]
    assert x._version == 0
    with m.no_grad():
        x.mul_(2)
    assert x._version == 1
    x.data = m.tensor([5.0, 6.0, 7.0])
    assert x.tolist() == [5.0, 6.0, 7.0]
    assert x.requires_grad and x.is_leaf
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0, 2.0]
    z = x * 3
    assert z.detach_() is z
    assert z.is_leaf


def test_writes_to_saved_tensors_and_leaves_are_caught():
    x = leaf([1.0, 2.0])
    y = x * 2
    z = y * y
    y.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()
    with pytest.raises(RuntimeError, match="leaf"):
        x.add_(1)


def test_hooks_see_and_replace_gradients():
    for m in (gotorch, torch):
        x = leaf([1.0, 2.0], m)
        y = x * 2
        seen = []
        handle = y.register_hook(lambda g, seen=seen: seen.append(g.tolist()))
        y.register_hook(lambda g: g * 10)
        x.register_hook(lambda g: g + 1)
        y.sum().backward()
        assert seen == [[1.0, 1.0]]
        assert x.grad.tolist() == [21.0, 21.0]
        handle.remove()
        y = x * 2
        with pytest.raises(RuntimeError):
            x.detach().register_hook(print)


def test_an_error_in_a_hook_comes_out_of_backward():
    x = leaf([1.0])
    y = x * 2

    def bad(g):
        raise KeyError("from the hook")

    y.register_hook(bad)
    with pytest.raises(KeyError, match="from the hook"):
        y.backward()
    y = x * 2
    y.register_hook(lambda g: "no tensor")
    with pytest.raises(TypeError):
        y.backward()


def test_retain_grad_keeps_the_gradient_of_a_result():
    x = leaf([1.0, 2.0])
    y = x * 2
    assert not y.retains_grad
    y.retain_grad()
    assert y.retains_grad
    (y * y).sum().backward()
    assert y.grad.tolist() == [4.0, 8.0]


def cube_of(m):
    class Cube(m.autograd.Function):
        @staticmethod
        def forward(ctx, x, factor):
            ctx.save_for_backward(x)
            ctx.factor = factor
            return x * x * x * factor

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            assert ctx.needs_input_grad == (True, False)
            return 3 * x * x * ctx.factor * grad, None

    return Cube


@pytest.mark.parametrize("m", [gotorch, torch], ids=["gotorch", "torch"])
def test_a_function_in_python_takes_part_in_backward(m):
    x = leaf([1.0, 2.0], m)
    y = cube_of(m).apply(x, 2.0)
    assert y.grad_fn.name() == "CubeBackward"
    (g,) = m.autograd.grad(y.sum(), x, create_graph=True)
    assert g.tolist() == [6.0, 24.0]
    g.sum().backward()
    assert x.grad.tolist() == [12.0, 24.0]


@pytest.mark.parametrize("m", [gotorch, torch], ids=["gotorch", "torch"])
def test_functions_with_several_outputs_and_missing_gradients(m):
    seen = []

    class Split(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            flags = x > 1
            ctx.mark_non_differentiable(flags)
            return x * 2, x * 3, flags

        @staticmethod
        def backward(ctx, a, b, c):
            seen.append((a.tolist(), b.tolist()))
            return a * 2 + b * 3

    class Lazy(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, a, b):
            assert b is None
            return a * 2

    x = leaf([1.0, 2.0], m)
    a, b, flags = Split.apply(x)
    assert not flags.requires_grad
    a.sum().backward()
    assert seen == [([1.0, 1.0], [0.0, 0.0])]
    assert x.grad.tolist() == [2.0, 2.0]
    Lazy.apply(x)[0].sum().backward()
    assert x.grad.tolist() == [4.0, 4.0]


@pytest.mark.parametrize("m", [gotorch, torch], ids=["gotorch", "torch"])
def test_a_function_that_writes_in_place_or_returns_its_input(m):
    class AddOne(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            x.add_(1)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 5

    class Same(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 7

    x = leaf([1.0], m)
    y = x * 1
    z = AddOne.apply(y)
    assert z is y
    z.sum().backward()
    assert x.grad.tolist() == [5.0]
    y = Same.apply(x)
    assert y is not x and x.is_leaf
    y.sum().backward()
    assert x.grad.tolist() == [12.0]
    with pytest.raises(RuntimeError):
        AddOne.apply(x)


@pytest.mark.parametrize("m", [gotorch, torch], ids=["gotorch", "torch"])
def test_setup_context_and_saved_results(m):
    class Exp(m.autograd.Function):
        @staticmethod
        def forward(x):
            return x.exp()

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(output)

        @staticmethod
        def backward(ctx, g):
            (y,) = ctx.saved_tensors
            return g * y

    x = leaf([0.0, 1.0], m)
    y = Exp.apply(x)
    (g,) = m.autograd.grad(y.sum(), x, create_graph=True)
    (gg,) = m.autograd.grad(g.sum(), x)
    assert gg.tolist() == pytest.approx([1.0, 2.718281828])
    ref = weakref.ref(y)
    del y, g, gg
    gc.collect()
    assert ref() is None


@pytest.mark.parametrize("m", [gotorch, torch], ids=["gotorch", "torch"])
def test_mistakes_in_functions_are_errors(m):
    class TooMany(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g, g

    class Raises(TooMany):
        @staticmethod
        def backward(ctx, g):
            raise KeyError("mine")

    class NoTensor(TooMany):
        @staticmethod
        def backward(ctx, g):
            return "a"

    x = leaf([1.0], m)
    with pytest.raises(RuntimeError, match="number of gradients"):
        TooMany.apply(x).sum().backward()
    with pytest.raises(KeyError, match="mine"):
        Raises.apply(x).sum().backward()
    with pytest.raises((TypeError, RuntimeError)):
        NoTensor.apply(x).sum().backward()
    y = cube_of(m).apply(x, 1.0)
    y.sum().backward()
    with pytest.raises(RuntimeError, match="second time"):
        y.sum().backward()


@pytest.mark.parametrize("m", [gotorch, torch], ids=["gotorch", "torch"])
def test_once_differentiable_functions_refuse_a_second_time(m):
    class Double(m.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        @m.autograd.function.once_differentiable
        def backward(ctx, g):
            return g * 2

    x = leaf([1.0], m)
    w = leaf([1.0], m)
    (g,) = m.autograd.grad(Double.apply(x), x, w, create_graph=True)
    assert g.tolist() == [2.0]
    with pytest.raises(RuntimeError, match="once_differentiable"):
        g.backward()


def test_gradcheck_accepts_right_and_refuses_wrong_gradients():
    def right(x, y):
        return x * y.exp(), x + y

    class Wrong(gotorch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 3

    x = gotorch.tensor([0.3, -0.7], dtype=gotorch.float64, requires_grad=True)
    y = gotorch.tensor([1.1, 0.2], dtype=gotorch.float64, requires_grad=True)
    for fast in (False, True):
        assert gotorch.autograd.gradcheck(right, (x, y), fast_mode=fast)
        assert gotorch.autograd.gradgradcheck(right, (x, y), fast_mode=fast)
        with pytest.raises(RuntimeError):
            gotorch.autograd.gradcheck(Wrong.apply, x, fast_mode=fast)
        assert not gotorch.autograd.gradcheck(Wrong.apply, x, raise_exception=False, fast_mode=fast)


def test_old_names():
    v = gotorch.autograd.Variable(gotorch.tensor([1.0]), requires_grad=True)
    assert v.requires_grad
    assert isinstance(v, gotorch.autograd.Variable)


def test_a_long_chain_of_python_functions_is_freed_without_recursion():
    cube = cube_of(gotorch)
    x = leaf([1.0])
    y = x
    for _ in range(20000):
        y = cube.apply(y, 1.0)
    del y


@pytest.mark.parametrize("values", [[1.0, 2.0, 3.0], [0.0, 2.0, 3.0], [0.0, 0.0, 3.0], [2.0, 0.0, 4.0, 0.5, 0.0]])
@pytest.mark.parametrize(
    "product",
    [
        lambda x: x.prod(),
        lambda x: x.prod(0),
        lambda x: x.reshape(1, -1).repeat(2, 1).prod(1, keepdim=True).sum(),
        lambda x: (x.cumprod(0) ** 2).sum(),
        lambda x: x.reshape(1, -1).cumprod(1)[0, 1:].sum(),
    ],
)
def test_derivatives_of_products_with_zeros(product, values):
    derivatives = []
    for t in (torch, gotorch):
        x = t.tensor(values, dtype=t.float64, requires_grad=True)
        rows = [product(x)]
        for _ in range(3):
            gradients = [t.autograd.grad(y, x, create_graph=True)[0] for y in rows]
            rows = [g[i] for g in gradients for i in range(len(values)) if g.requires_grad]
            derivatives.append([v for g in gradients for v in g.tolist()])
    for theirs, ours in zip(derivatives[:3], derivatives[3:]):
        assert ours == pytest.approx(theirs, abs=1e-12)


def test_only_gradients_that_are_asked_for_are_computed():
    x = gotorch.randn(2, 3, 8, 8, requires_grad=True)
    w = gotorch.randn(4, 3, 3, 3, requires_grad=True)
    bias = gotorch.randn(4, requires_grad=True)

    def ops_of(*inputs):
        y = gotorch.nn.functional.conv2d(x, w, bias).sum()
        with gotorch.profiler.profile() as prof:
            grads = gotorch.autograd.grad(y, inputs)
        return grads, {e.name for e in prof.events()}

    (both_x, both_w), all_ops = ops_of(x, w)
    (only_x,), ops_for_x = ops_of(x)
    (only_w,), ops_for_w = ops_of(w)
    assert {"aten::_conv_data", "aten::_conv_weight"} <= all_ops
    assert "aten::_conv_data" in ops_for_x and "aten::_conv_weight" not in ops_for_x
    assert "aten::_conv_weight" in ops_for_w and "aten::_conv_data" not in ops_for_w
    assert gotorch.equal(both_x, only_x) and gotorch.equal(both_w, only_w)


def test_a_write_to_a_view_gives_the_gradients_that_are_asked_for():
    def grads_of(t, which):
        base = t.ones(4, requires_grad=True)
        a, b = t.full((2,), 3.0, requires_grad=True), t.full((2,), 5.0, requires_grad=True)
        y = base * 2
        y[1:3].mul_(a).add_(b)
        return [g.tolist() for g in t.autograd.grad((y * y).sum(), [(base, a, b)[i] for i in which])]

    for which in ((0,), (1,), (2,), (0, 2), (1, 2), (0, 1, 2)):
        assert grads_of(gotorch, which) == grads_of(torch, which)
