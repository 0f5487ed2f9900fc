"""Optimizers, schedules and gradient clipping against PyTorch."""

import copy
import importlib
import io
import math
import pickle
import warnings

import gotorch
import pytest

torch = pytest.importorskip("torch")

STEPS = 50

# (optimizer, arguments): each is run for STEPS steps from the same weights with the same gradients.
CASES = [
    ("SGD", {}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True}),
    ("Adam", {}),
    ("Adam", {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.01, "amsgrad": True, "maximize": True}),
    ("Adam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("AdamW", {"lr": 0.01}),
    ("AdamW", {"lr": 0.01, "weight_decay": 0.3, "amsgrad": True}),
    ("RMSprop", {}),
    ("RMSprop", {"momentum": 0.9, "lr": 1e-3}),
    ("RMSprop", {"centered": True, "weight_decay": 0.1, "lr": 1e-3}),
    ("RMSprop", {"momentum": 0.5, "centered": True, "maximize": True, "lr": 1e-3}),
    ("Adagrad", {}),
    ("Adagrad", {"lr_decay": 0.1, "initial_accumulator_value": 0.5, "weight_decay": 0.1}),
    ("NAdam", {}),
    ("NAdam", {"weight_decay": 0.1, "momentum_decay": 0.01}),
    ("NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("RAdam", {}),
    ("RAdam", {"lr": 0.01, "betas": (0.9, 0.9), "weight_decay": 0.1}),
    ("RAdam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("Adamax", {}),
    ("Adamax", {"weight_decay": 0.1, "maximize": True}),
    ("Adadelta", {}),
    ("Adadelta", {"rho": 0.5, "weight_decay": 0.1}),
    ("ASGD", {}),
    ("ASGD", {"lambd": 0.01, "alpha": 0.5, "t0": 10, "weight_decay": 0.1}),
    ("Rprop", {}),
    ("Rprop", {"etas": (0.4, 1.3), "step_sizes": (1e-3, 0.1), "maximize": True}),
]
SHAPES = [(3,), (5, 7), (33,), (2, 3, 4), ()]


def parameters(t, dtype="float32"):
    t.manual_seed(1)
    return [t.nn.Parameter(t.randn(shape, dtype=getattr(t, dtype))) for shape in SHAPES]


def gradients(t, params, step):
    """Gradients that depend on the weights, so that errors would grow."""
    for i, p in enumerate(params):
        p.grad = None if (i + step) % 5 == 4 else (p.detach() * (1 + 0.1 * i) + math.sin(step + i)).to(p.dtype)


def run(t, name, options, steps=STEPS, dtype="float32"):
    params = parameters(t, dtype)
    optimizer = getattr(t.optim, name)(params, **options)
    for step in range(steps):
        gradients(t, params, step)
        optimizer.step()
    return params, optimizer


def plain(value):
    """Tensors as lists, so that both libraries' compare."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value


def close(ours, theirs, rel, absolute=0.0):
    if isinstance(theirs, dict):
        assert list(ours) == list(theirs)
        for key in theirs:
            close(ours[key], theirs[key], rel, absolute)
    elif isinstance(theirs, list):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs):
            close(a, b, rel, absolute)
    else:
        assert ours == pytest.approx(theirs, rel=rel, abs=absolute)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "options"), CASES)
def test_fifty_steps_give_pytorchs_weights(name, options, dtype):
    ours, optimizer = run(gotorch, name, options, dtype=dtype)
    theirs, reference = run(torch, name, options, dtype=dtype)
    # Signs of gradients near zero decide about whole steps of Rprop.
    rel, absolute = (2e-4, 2e-6) if dtype == "float32" else (1e-6, 1e-9)
    close([plain(p) for p in ours], [plain(p) for p in theirs], rel, absolute)
    state, expected = optimizer.state_dict(), reference.state_dict()
    close(plain(state["state"]), plain(expected["state"]), rel * 5, absolute * 5)
    assert state["param_groups"] == expected["param_groups"]


@pytest.mark.parametrize(("name", "options"), CASES)
def test_state_dicts_go_both_ways(name, options):
    for writer, reader in ((gotorch, torch), (torch, gotorch)):
        params, optimizer = run(writer, name, options, steps=5)
        file = io.BytesIO()
        writer.save([[p.detach() for p in params], optimizer.state_dict()], file)
        file.seek(0)
        values, state = reader.load(file)
        copies = [reader.nn.Parameter(v.clone()) for v in values]
        other = getattr(reader.optim, name)(copies, lr=0.5)
        other.load_state_dict(state)
        for step in range(5, 10):
            gradients(writer, params, step)
            optimizer.step()
            gradients(reader, copies, step)
            other.step()
        close([plain(p) for p in copies], [plain(p) for p in params], 1e-4, 1e-6)
        assert plain(other.state_dict()["param_groups"]) == plain(optimizer.state_dict()["param_groups"])


@pytest.mark.parametrize("name", sorted({name for name, _ in CASES}))
def test_the_constructor_has_pytorchs_signature_and_printed_form(name):
    import inspect

    def shape(t):
        signature = inspect.signature(getattr(t.optim, name).__init__)
        return [(p.name, p.kind, p.default) for p in signature.parameters.values()]

    assert shape(gotorch) == shape(torch)
    assert repr(getattr(gotorch.optim, name)(parameters(gotorch))) == repr(
        getattr(torch.optim, name)(parameters(torch))
    )
    assert issubclass(gotorch.optim.AdamW, gotorch.optim.Adam)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_parameters_round_once_a_step(dtype):
    ours, _ = run(gotorch, "AdamW", {"lr": 0.01}, steps=5, dtype=dtype)
    theirs, _ = run(torch, "AdamW", {"lr": 0.01}, steps=5, dtype=dtype)
    for a, b in zip(ours, theirs):
        close(plain(a.float()), plain(b.float()), 0.03, 0.03)


def one(t):
    return t.nn.Parameter(t.zeros(1))


BAD = [
    lambda t: t.optim.SGD([one(t)], lr=-0.1),
    lambda t: t.optim.SGD([one(t)], momentum=-0.5),
    lambda t: t.optim.SGD([one(t)], weight_decay=-0.5),
    lambda t: t.optim.SGD([one(t)], nesterov=True),
    lambda t: t.optim.Adam([one(t)], betas=(1.5, 0.9)),
    lambda t: t.optim.Adam([one(t)], betas=(0.9, -0.1)),
    lambda t: t.optim.Adam([one(t)], eps=-0.5),
    lambda t: t.optim.Adam([one(t)], fused=True, foreach=True),
    lambda t: t.optim.Adam([one(t)], lr=t.tensor(0.1), foreach=True),
    lambda t: t.optim.RMSprop([one(t)], alpha=-0.5),
    lambda t: t.optim.NAdam([one(t)], momentum_decay=-0.5),
    lambda t: t.optim.Adadelta([one(t)], rho=1.5),
    lambda t: t.optim.Rprop([one(t)], etas=(1.5, 1.2)),
    lambda t: t.optim.SGD([]),
    lambda t: t.optim.SGD(t.zeros(1)),
    lambda t: t.optim.SGD([1]),
    lambda t: t.optim.SGD({"a": 1}),
    lambda t: t.optim.SGD([one(t) * 2]),
    lambda t: t.optim.SGD([{"params": {one(t)}}]),
    lambda t: t.optim.SGD([one(t)]).add_param_group(1),
    lambda t: (lambda p: t.optim.SGD([{"params": [p]}, {"params": [p]}]))(one(t)),
    lambda t: t.optim.SGD([one(t), ("a", one(t))]),
    lambda t: t.optim.SGD([{"params": [("a", one(t))]}, {"params": [one(t)]}]),
    lambda t: t.optim.SGD([one(t)]).load_state_dict({"param_groups": [], "state": {}}),
    lambda t: t.optim.SGD([one(t)]).load_state_dict({"param_groups": [{"params": [0, 1]}], "state": {}}),
]


@pytest.mark.parametrize("number", range(len(BAD)))
def test_wrong_arguments_raise_as_in_pytorch(number):
    with pytest.raises(Exception) as expected:
        BAD[number](torch)
    with pytest.raises(expected.type) as got:
        BAD[number](gotorch)
    assert str(got.value) == str(expected.value)


def test_unknown_and_too_many_arguments_are_type_errors():
    with pytest.raises(TypeError, match="foo"):
        gotorch.optim.SGD([one(gotorch)], foo=1)
    with pytest.raises(TypeError, match="positional"):
        gotorch.optim.Adam([one(gotorch)], 1e-3, (0.9, 0.99), 1e-8, 0, False, True)
    with pytest.raises(NotImplementedError, match="differentiable"):
        gotorch.optim.Adam([one(gotorch)], differentiable=True)


def test_a_gradient_or_state_of_another_shape_is_refused():
    p = gotorch.nn.Parameter(gotorch.ones(3))
    optimizer = gotorch.optim.Adam([p])
    p.grad = gotorch.ones(3)
    optimizer.step()
    optimizer.state[p]["exp_avg"] = gotorch.zeros(4)
    before = p.tolist()
    with pytest.raises(RuntimeError, match=r"Adam: the exp_avg of a parameter of shape \[3\] has shape \[4\]"):
        optimizer.step()
    assert p.tolist() == before
    assert optimizer.state[p]["step"].item() == 1


class Signed:
    """An optimizer in pure Python, for either library."""

    @staticmethod
    def of(t):
        class SignSGD(t.optim.Optimizer):
            def __init__(self, params, lr=0.1):
                super().__init__(params, {"lr": lr})

            @t.no_grad()
            def step(self, closure=None):
                loss = None
                if closure is not None:
                    with t.enable_grad():
                        loss = closure()
                for group in self.param_groups:
                    for p in group["params"]:
                        state = self.state[p]
                        state["count"] = state.get("count", 0) + 1
                        p.add_(p.grad.sign(), alpha=-group["lr"])
                return loss

        return SignSGD


def test_optimizers_may_be_written_in_python():
    results = []
    for t in (gotorch, torch):
        p = t.nn.Parameter(t.tensor([1.0, -2.0]))
        optimizer = Signed.of(t)([p])

        def closure(p=p, optimizer=optimizer):
            optimizer.zero_grad()
            loss = (p * p).sum()
            loss.backward()
            return loss

        losses = [optimizer.step(closure).item() for _ in range(5)]
        results.append((losses, p.tolist(), repr(optimizer), plain(optimizer.state_dict())))
    assert results[0][0] == pytest.approx(results[1][0])
    assert results[0][1] == pytest.approx(results[1][1])
    assert results[0][2:] == results[1][2:]


def test_hooks_run_around_a_step_and_may_change_its_arguments():
    logs = []
    for t in (gotorch, torch):
        log = []
        for make in (t.optim.SGD, Signed.of(t)):
            p = one(t)
            p.grad = t.ones(1)
            optimizer = make([p], lr=0.1)

            def pre(o, args, kwargs, log=log):
                log.append(("pre", type(o).__name__, len(args), sorted(kwargs)))
                return args, {"closure": lambda: 7}

            handle = optimizer.register_step_pre_hook(pre)
            optimizer.register_step_post_hook(lambda o, a, k, log=log: log.append(("post", len(a), sorted(k))))
            log.append(optimizer.step())
            handle.remove()
            log.append(optimizer.step())
        logs.append(log)
    assert logs[0] == logs[1]


def test_hooks_of_state_dicts_and_of_all_optimizers():
    for t in (gotorch, torch):
        p, log = one(t), []
        p.grad = t.ones(1)
        optimizer = t.optim.Adam([p])
        module = importlib.import_module(t.__name__ + ".optim.optimizer")
        handle = module.register_optimizer_step_post_hook(lambda o, a, k, log=log: log.append("any"))
        optimizer.step()
        handle.remove()
        optimizer.step()
        assert log == ["any"]
        optimizer.register_state_dict_pre_hook(lambda o, log=log: log.append("pre"))
        optimizer.register_state_dict_post_hook(lambda o, d: {**d, "extra": 1})
        optimizer.register_load_state_dict_pre_hook(lambda o, d, log=log: log.append(d.pop("extra")))
        optimizer.register_load_state_dict_post_hook(lambda o, log=log: log.append("loaded"))
        optimizer.load_state_dict(optimizer.state_dict())
        assert log == ["any", "pre", 1, "loaded"]


@pytest.mark.parametrize("how", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
def test_copies_of_optimizers_go_on_alone(how):
    params, optimizer = run(gotorch, "Adam", {"amsgrad": True}, steps=3)
    other = how(optimizer)
    copies = other.param_groups[0]["params"]
    assert [p.tolist() for p in copies] == [p.tolist() for p in params]
    gradients(gotorch, copies, 3)
    other.step()
    assert copies[0].tolist() != params[0].tolist()
    gradients(gotorch, params, 3)
    optimizer.step()
    assert [p.tolist() for p in copies] == [p.tolist() for p in params]


def test_groups_names_and_a_rate_that_is_a_tensor():
    for t in (gotorch, torch):
        a, b = one(t), one(t)
        rate = t.tensor(0.5)
        optimizer = t.optim.SGD([{"params": [("a", a)], "lr": rate}, {"params": [("b", b)]}], lr=0.25)
        a.grad, b.grad = t.ones(1), t.ones(1)
        optimizer.step()
        assert (a.item(), b.item()) == (-0.5, -0.25)
        assert optimizer.param_groups[1]["param_names"] == ["b"]
        t.optim.lr_scheduler.ExponentialLR(optimizer, 0.5).step()
        assert optimizer.param_groups[0]["lr"] is rate
        assert rate.item() == 0.25


def test_the_same_bits_at_any_number_of_workers():
    results, before = [], gotorch.get_num_threads()
    for workers in (1, 2, 3, 8):
        gotorch.set_num_threads(workers)
        p = gotorch.nn.Parameter(gotorch.arange(100003, dtype=gotorch.float32).sin())
        optimizer = gotorch.optim.NAdam([p, *parameters(gotorch)])
        for step in range(3):
            p.grad = p.detach().cos() * step
            norm = gotorch.nn.utils.clip_grad_norm_([p], 1.0)
            optimizer.step()
        results.append((norm.item(), p.tolist()))
    gotorch.set_num_threads(before)
    assert all(r == results[0] for r in results)


SCHEDULES = {
    "LambdaLR": lambda s, o: s.LambdaLR(o, lambda e: 0.9**e),
    "LambdaLR per group": lambda s, o: s.LambdaLR(o, [lambda e: 0.9**e, lambda e: 1 / (e + 1)]),
    "MultiplicativeLR": lambda s, o: s.MultiplicativeLR(o, lambda e: 0.95),
    "StepLR": lambda s, o: s.StepLR(o, 7, 0.5),
    "MultiStepLR": lambda s, o: s.MultiStepLR(o, [30, 3, 3, 40], 0.3),
    "ConstantLR": lambda s, o: s.ConstantLR(o, 0.5, 8),
    "LinearLR": lambda s, o: s.LinearLR(o, 0.2, 0.9, 11),
    "ExponentialLR": lambda s, o: s.ExponentialLR(o, 0.93),
    "PolynomialLR": lambda s, o: s.PolynomialLR(o, 20, 2.0),
    "CosineAnnealingLR": lambda s, o: s.CosineAnnealingLR(o, 13, 0.001),
    "CosineAnnealingWarmRestarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 5, 2, 0.002),
    "CyclicLR": lambda s, o: s.CyclicLR(o, 0.01, 0.1, 5, 7),
    "CyclicLR triangular2": lambda s, o: s.CyclicLR(o, 0.01, [0.1, 0.2], 5, mode="triangular2"),
    "CyclicLR exp_range": lambda s, o: s.CyclicLR(o, 0.01, 0.1, 4, mode="exp_range", gamma=0.97),
    "CyclicLR scale_fn": lambda s, o: s.CyclicLR(o, 0.01, 0.1, 4, scale_fn=lambda x: 1 / x, cycle_momentum=False),
    "OneCycleLR": lambda s, o: s.OneCycleLR(o, 0.5, total_steps=61),
    "OneCycleLR three": lambda s, o: s.OneCycleLR(
        o, [0.5, 0.1], epochs=6, steps_per_epoch=11, three_phase=True, anneal_strategy="linear"
    ),
    "ChainedScheduler": lambda s, o: s.ChainedScheduler([s.ConstantLR(o, 0.1, 4), s.ExponentialLR(o, 0.9)], o),
    "SequentialLR": lambda s, o: s.SequentialLR(o, [s.LinearLR(o, 0.1, 1, 5), s.CosineAnnealingLR(o, 20)], [5]),
    "SequentialLR three": lambda s, o: s.SequentialLR(
        o, [s.ConstantLR(o, 0.1, 3), s.ExponentialLR(o, 0.9), s.StepLR(o, 4)], [6, 20]
    ),
    "ReduceLROnPlateau": lambda s, o: s.ReduceLROnPlateau(o, factor=0.5, patience=2, cooldown=1, min_lr=1e-3),
    "ReduceLROnPlateau max": lambda s, o: s.ReduceLROnPlateau(
        o, "max", patience=3, threshold=0.05, threshold_mode="abs", min_lr=[1e-3, 1e-4]
    ),
}


def two_groups(t, name="SGD"):
    options = {"momentum": 0.9} if name == "SGD" else {}
    return getattr(t.optim, name)([{"params": [one(t)]}, {"params": [one(t)], "lr": 0.2}], lr=0.05, **options)


def advance(t, optimizer, schedule, epochs, first=0):
    rates = []
    for epoch in range(first, first + epochs):
        optimizer.step()
        plateau = isinstance(schedule, t.optim.lr_scheduler.ReduceLROnPlateau)
        schedule.step(*([math.sin(epoch / 7)] if plateau else []))
        groups = optimizer.param_groups
        momenta = [g["momentum"] if "momentum" in g else g["betas"][0] for g in groups]
        rates.append([*schedule.get_last_lr(), *(g["lr"] for g in groups), *momenta])
    return rates


@pytest.mark.parametrize("name", ["SGD", "Adam"])
@pytest.mark.parametrize("kind", SCHEDULES)
def test_sixty_epochs_give_pytorchs_rates(kind, name):
    rates = []
    for t in (gotorch, torch):
        optimizer = two_groups(t, name)
        schedule = SCHEDULES[kind](t.optim.lr_scheduler, optimizer)
        start = [g["lr"] for g in optimizer.param_groups]
        rates.append([start, *advance(t, optimizer, schedule, 60)])
    for epoch, (ours, theirs) in enumerate(zip(*rates)):
        assert ours == pytest.approx(theirs, rel=1e-10, abs=1e-15), epoch


@pytest.mark.parametrize("kind", SCHEDULES)
def test_schedules_go_on_from_pytorchs_state(kind):
    make = SCHEDULES[kind]
    optimizer, reference = two_groups(gotorch), two_groups(torch)
    ours, theirs = make(gotorch.optim.lr_scheduler, optimizer), make(torch.optim.lr_scheduler, reference)
    assert sorted(ours.state_dict()) == sorted(theirs.state_dict())
    advance(torch, reference, theirs, 9)
    ours.load_state_dict(copy.deepcopy(theirs.state_dict()))
    optimizer.load_state_dict(reference.state_dict())
    for a, b in zip(advance(gotorch, optimizer, ours, 30, 9), advance(torch, reference, theirs, 30, 9)):
        assert a == pytest.approx(b, rel=1e-9, abs=1e-15)


def test_schedules_resume_from_a_last_epoch():
    for make in (
        lambda s, o: s.CosineAnnealingLR(o, 10, last_epoch=4),
        lambda s, o: s.StepLR(o, 5, last_epoch=4),
        lambda s, o: s.ExponentialLR(o, 0.5, last_epoch=4),
        lambda s, o: s.LambdaLR(o, lambda e: 1 / (e + 1), last_epoch=4),
    ):
        rates = []
        for t in (gotorch, torch):
            optimizer = two_groups(t)
            for group in optimizer.param_groups:
                group["initial_lr"] = group["lr"]
            rates.append(advance(t, optimizer, make(t.optim.lr_scheduler, optimizer), 12))
        assert all(a == pytest.approx(b, rel=1e-12) for a, b in zip(*rates))


def test_a_step_to_an_epoch_uses_the_closed_form():
    for kind in SCHEDULES:
        if "Sequential" in kind or "Chained" in kind or "Plateau" in kind or "Cyclic" in kind:
            continue
        rates = []
        for t in (gotorch, torch):
            optimizer = two_groups(t)
            schedule = SCHEDULES[kind](t.optim.lr_scheduler, optimizer)
            optimizer.step()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for epoch in (4, 12, 3):
                    schedule.step(epoch)
                    rates.append(schedule.get_last_lr())
        assert all(a == pytest.approx(b, rel=1e-12) for a, b in zip(rates[:3], rates[3:])), kind


def test_warm_restarts_take_fractions_of_an_epoch():
    rates = []
    for t in (gotorch, torch):
        optimizer = two_groups(t)
        schedule = t.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 3, 2)
        for i in range(40):
            schedule.step(i / 3)
            rates.append(schedule.get_last_lr())
    assert all(a == pytest.approx(b, rel=1e-12, abs=1e-15) for a, b in zip(rates[:40], rates[40:]))


def test_schedules_may_be_written_in_python():
    for t in (gotorch, torch):

        class Halving(t.optim.lr_scheduler.LRScheduler):
            def get_lr(self):
                return [base / 2**self.last_epoch for base in self.base_lrs]

        optimizer = two_groups(t)
        schedule = Halving(optimizer)
        assert [r[0] for r in advance(t, optimizer, schedule, 3)] == [0.025, 0.0125, 0.00625]
        with pytest.raises(NotImplementedError):
            t.optim.lr_scheduler.LRScheduler(optimizer)


def test_a_schedule_before_the_optimizer_warns():
    for t in (gotorch, torch):
        schedule = t.optim.lr_scheduler.StepLR(two_groups(t), 3)
        with pytest.warns(UserWarning, match=r"Detected call of `lr_scheduler.step\(\)` before"):
            schedule.step()


BAD_SCHEDULES = [
    lambda s, o: s.StepLR(None, 3),
    lambda s, o: s.StepLR(1, 3),
    lambda s, o: s.CosineAnnealingWarmRestarts(o, 0),
    lambda s, o: s.CosineAnnealingWarmRestarts(o, 1, 0),
    lambda s, o: s.CosineAnnealingWarmRestarts(o, 1.5),
    lambda s, o: s.LinearLR(o, 0),
    lambda s, o: s.LinearLR(o, 0.5, 3),
    lambda s, o: s.ConstantLR(o, -1),
    lambda s, o: s.CyclicLR(o, 0.1, 0.2, mode="x"),
    lambda s, o: s.CyclicLR(o, [0.1], 0.2),
    lambda s, o: s.OneCycleLR(o, [0.1], total_steps=3),
    lambda s, o: s.LambdaLR(o, [1]),
    lambda s, o: s.ChainedScheduler([]),
    lambda s, o: s.SequentialLR(o, [], []),
    lambda s, o: s.SequentialLR(o, [s.StepLR(o, 3)], [1]),
    lambda s, o: s.OneCycleLR(o, 0.1),
    lambda s, o: s.OneCycleLR(o, 0.1, total_steps=-1),
    lambda s, o: s.OneCycleLR(o, 0.1, epochs=2),
    lambda s, o: s.OneCycleLR(o, 0.1, total_steps=2, pct_start=3.0),
    lambda s, o: s.OneCycleLR(o, 0.1, total_steps=2, anneal_strategy="x"),
    lambda s, o: s.ReduceLROnPlateau(o, "x"),
    lambda s, o: s.ReduceLROnPlateau(o, factor=1.0),
    lambda s, o: s.ReduceLROnPlateau(o, min_lr=[1]),
]


@pytest.mark.parametrize("number", range(len(BAD_SCHEDULES)))
def test_wrong_schedules_raise_as_in_pytorch(number):
    with pytest.raises(Exception) as expected:
        BAD_SCHEDULES[number](torch.optim.lr_scheduler, two_groups(torch))
    with pytest.raises(expected.type) as got:
        BAD_SCHEDULES[number](gotorch.optim.lr_scheduler, two_groups(gotorch))
    assert str(got.value) == str(expected.value)


def test_a_step_size_of_zero_is_an_error():
    optimizer = two_groups(gotorch)
    with pytest.raises((ValueError, ZeroDivisionError)):
        advance(gotorch, optimizer, gotorch.optim.lr_scheduler.StepLR(optimizer, 0), 1)
    with pytest.raises(KeyError, match="initial_lr"):
        gotorch.optim.lr_scheduler.StepLR(two_groups(gotorch), 3, last_epoch=2)


@pytest.mark.parametrize("order", [2, 2.0, 1, 3, 0.5, 0, math.inf, -math.inf, "inf"])
@pytest.mark.parametrize("sizes", [[], [0], [1], [7, 0, 33], [100, 40000]])
def test_gradients_are_clipped_as_in_pytorch(order, sizes):
    results = []
    for t in (gotorch, torch):
        t.manual_seed(2)
        params = [t.nn.Parameter(t.zeros(n)) for n in sizes] + [one(t)][: len(sizes)]
        for p in params[: len(sizes)]:
            p.grad = t.randn(p.shape)
        if math.isinf(float(order)) and 0 in sizes:  # PyTorch refuses: an empty tensor has no largest element
            params = [p for p in params if p.numel()]
        grads = [p.grad for p in params if p.grad is not None]
        total = t.nn.utils.get_total_norm(grads, float(order))
        norm = t.nn.utils.clip_grad_norm_(iter(params), 0.5, order, foreach=None)
        results.append([total.item(), norm.item(), *(g.tolist() for g in grads)])
    close(results[0], results[1], 1e-5, 1e-7)


def test_clipping_by_value_and_with_a_given_norm():
    results = []
    for t in (gotorch, torch):
        p = one(t)
        p.grad = t.tensor([3.0])
        t.nn.utils.clip_grad_value_(p, 2)
        log = [p.grad.item()]
        t.nn.utils.clip_grads_with_norm_([p], 1.0, t.tensor(4.0))
        log.append(p.grad.item())
        p.grad = t.tensor([math.nan])
        with pytest.raises(RuntimeError) as error:
            t.nn.utils.clip_grad_norm_([p], 1.0, error_if_nonfinite=True)
        log.append(str(error.value))
        log.append(math.isnan(t.nn.utils.clip_grad_norm_([p], 1.0).item()))
        results.append(log)
    assert results[0][:2] == pytest.approx(results[1][:2])
    assert results[0][2:] == results[1][2:]
