"""Backward over graphs with branches: hooks and functions in Python, errors, interrupts."""

import subprocess
import sys
import threading

import gotorch
import pytest

WORKERS = (1, 2, 3, 8)


@pytest.fixture(params=WORKERS)
def workers(request):
    before = gotorch.get_num_threads()
    gotorch.set_num_threads(request.param)
    yield request.param
    gotorch.set_num_threads(before)


class Scale(gotorch.autograd.Function):
    """x * factor, and a note of the thread that ran backward."""

    threads = set()
    fails = False

    @staticmethod
    def forward(ctx, x, factor):
        ctx.factor = factor
        return x * factor

    @staticmethod
    def backward(ctx, g):
        Scale.threads.add(threading.get_ident())
        if Scale.fails:
            raise ValueError("asked to fail")
        return g * ctx.factor, None


def wide(branches=7, hooks=None):
    """(loss, leaves): branches that share a weight; some go through a function written in Python."""
    gotorch.manual_seed(5)
    x = gotorch.randn(48, 48, requires_grad=True)
    w = gotorch.randn(48, 48, requires_grad=True)
    total = 0
    for i in range(branches):
        y = x * (i + 1) / 10
        for _ in range(3):
            y = (y @ w / 7).tanh()
        if i % 2:
            y = Scale.apply(y, 0.5)
        if hooks is not None:
            y.register_hook(lambda g, i=i: hooks.append((i, threading.get_ident())))
        total = total + (y * y).sum()
    return total, (x, w)


def reference():
    before = gotorch.get_num_threads()
    gotorch.set_num_threads(1)
    loss, leaves = wide()
    loss.backward()
    gotorch.set_num_threads(before)
    return [leaf.grad.tolist() for leaf in leaves]


def test_the_same_bits_with_functions_and_hooks_on_the_callers_thread(workers):
    expected = reference()
    for _ in range(5):
        Scale.threads.clear()
        seen = []
        loss, leaves = wide(hooks=seen)
        loss.backward()
        assert [leaf.grad.tolist() for leaf in leaves] == expected
        assert Scale.threads == {threading.get_ident()}
        assert sorted(seen) == [(i, threading.get_ident()) for i in range(7)]


def test_an_error_in_a_function_reaches_the_caller_and_the_graph_stays_usable(workers):
    loss, leaves = wide()
    Scale.fails = True
    try:
        with pytest.raises(ValueError, match="asked to fail"):
            loss.backward(retain_graph=True)
    finally:
        Scale.fails = False
    for leaf in leaves:
        leaf.grad = None
    loss.backward()
    assert [leaf.grad.tolist() for leaf in leaves] == reference()


def test_backward_runs_from_several_threads_at_once(workers):
    expected, results, one_at_a_time = reference(), [], threading.Lock()

    def train():
        with one_at_a_time:  # the generator is everybody's
            loss, leaves = wide()
        loss.backward()
        results.append([leaf.grad.tolist() for leaf in leaves])

    threads = [threading.Thread(target=train) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results == [expected] * 4


INTERRUPTED = """
import signal, gotorch
x = gotorch.zeros(2, requires_grad=True)
y = x
for _ in range(300_000):
    y = y + 1
reached = []
x.register_hook(lambda g: reached.append(1))
signal.signal(signal.SIGALRM, signal.default_int_handler)
signal.setitimer(signal.ITIMER_REAL, 0.01)
try:
    while True:
        y.sum().backward(retain_graph=True)
except KeyboardInterrupt:
    pass
x.grad = None
(x * 3).sum().backward()
assert x.grad.tolist() == [3, 3]
print("interrupted")
"""


def test_ctrl_c_ends_backward_and_the_library_goes_on():
    out = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=120)
    assert out.stdout == "interrupted\n", out.stderr


def test_hooks_after_accumulation_get_the_leaf_with_its_gradient():
    torch = pytest.importorskip("torch")
    logs = []
    for t in (gotorch, torch):
        log, w = [], t.tensor([1.0, 2.0], requires_grad=True)
        handle = w.register_post_accumulate_grad_hook(lambda p, log=log: log.append((p.tolist(), p.grad.tolist())))
        for _ in range(2):
            (w * 2 + w * 3).sum().backward()
        handle.remove()
        (w * 2).sum().backward()
        logs.append((log, w.grad.tolist()))
        with pytest.raises(RuntimeError, match="non-leaf"):
            (w * 2).register_post_accumulate_grad_hook(print)
        with pytest.raises(RuntimeError, match="doesn't require grad"):
            t.zeros(1).register_post_accumulate_grad_hook(print)
    assert logs[0] == logs[1]


def test_the_optimizer_may_step_inside_backward():
    gotorch.manual_seed(0)
    results = []
    for inside in (False, True):
        gotorch.manual_seed(0)
        net = gotorch.nn.Sequential(gotorch.nn.Linear(8, 16), gotorch.nn.Tanh(), gotorch.nn.Linear(16, 1))
        optimizers = {p: gotorch.optim.Adam([p]) for p in net.parameters()}

        def update(p, optimizers=optimizers):
            optimizers[p].step()
            optimizers[p].zero_grad()

        if inside:
            for p in net.parameters():
                p.register_post_accumulate_grad_hook(update)
        for i in range(5):
            net(gotorch.full((4, 8), i / 5)).square().mean().backward()
            if not inside:
                for p in net.parameters():
                    update(p)
        results.append([p.tolist() for p in net.parameters()])
    assert results[0] == results[1]


def test_a_hook_may_remove_itself():
    x = gotorch.ones(2, requires_grad=True)
    y = x * 2
    calls, handles = [], []
    for n, tensor in enumerate((x, y)):

        def once(g, n=n, calls=calls, handles=handles):
            calls.append(n)
            handles[n].remove()

        handles.append(tensor.register_hook(once))
    y.sum().backward(retain_graph=True)
    y.sum().backward()
    assert calls == [1, 0]
    assert x.grad.tolist() == [4, 4]
