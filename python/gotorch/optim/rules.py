"""The optimizers whose update rules C++ defines: optim/rules.cpp."""

import gotorch
from gotorch import _C
from gotorch.optim.optimizer import Optimizer


def _not_negative(**values):
    for name, value in values.items():
        if not value >= 0:
            label = {"lr": "learning rate", "eps": "epsilon value"}.get(name, name + " value")
            raise ValueError(f"Invalid {label}: {value}")


class _RuleOptimizer(Optimizer):
    """Gathers what has a gradient and hands it to the fused step."""

    def _rule(self, group):
        """(name of the rule, its hyper-parameters, {name in the state: what a new one holds})."""
        raise NotImplementedError

    _counts = True  # keeps state["step"]

    def step(self, closure=None):
        """One update. `closure` recomputes the loss and is called first; its result is returned."""
        loss = None
        for hook in list(self._optimizer_step_pre_hooks.values()):
            hook(self, (closure,), {})
        if closure is not None:
            with gotorch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            self._step_group(group)
        for hook in list(self._optimizer_step_post_hooks.values()):
            hook(self, (closure,), {})
        return loss

    def _step_group(self, group):
        rule, hyper, names = self._rule(group)
        params, grads, steps = [], [], []
        states = [[] for _ in names]
        for p in group["params"]:
            g = p.grad
            if g is None:
                continue
            state = self.state[p]
            first = not state or any(state.get(name) is None for name in names)
            if first:
                for name, start in names.items():
                    if state.get(name) is None:
                        state[name] = gotorch.full_like(p, start, requires_grad=False)
                if self._counts:
                    state.setdefault("step", gotorch.tensor(0.0))
            if self._counts:
                state["step"] += 1
                steps.append(state["step"].item())
            else:
                steps.append(1.0 if first else 2.0)
            params.append(p)
            grads.append(g)
            for values, name in zip(states, names):
                values.append(state[name])
        if params:
            _C._optimizer_step(rule, hyper, params, grads, states, steps)


class SGD(_RuleOptimizer):
    """Stochastic gradient descent, with momentum (Sutskever et al. 2013)."""

    _counts = False

    def __init__(
        self,
        params,
        lr=1e-3,
        momentum=0,
        dampening=0,
        weight_decay=0,
        nesterov=False,
        *,
        maximize=False,
        foreach=None,
        differentiable=False,
        fused=None,
    ):
        _not_negative(lr=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        defaults = dict(
            lr=lr,
            momentum=momentum,
            dampening=dampening,
            weight_decay=weight_decay,
            nesterov=nesterov,
            maximize=maximize,
            foreach=foreach,
            differentiable=differentiable,
            fused=fused,
        )
        super().__init__(params, defaults)

    def _rule(self, group):
        names = ("lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize")
        hyper = [float(group[name]) for name in names]
        if group["momentum"] == 0:
            return "sgd", hyper, {}
        return "sgd_momentum", hyper, {"momentum_buffer": 0.0}


class Adam(_RuleOptimizer):
    """Adam (Kingma and Ba 2015): steps scaled by running estimates of the gradient's moments."""

    def __init__(
        self,
        params,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0,
        amsgrad=False,
        *,
        foreach=None,
        maximize=False,
        capturable=False,
        differentiable=False,
        fused=None,
        decoupled_weight_decay=False,
    ):
        _not_negative(lr=lr, eps=eps)
        for i, beta in enumerate(betas):
            if not 0.0 <= beta < 1.0:
                raise ValueError(f"Invalid beta parameter at index {i}: {beta}")
        _not_negative(weight_decay=weight_decay)
        defaults = dict(
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            amsgrad=amsgrad,
            maximize=maximize,
            foreach=foreach,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=decoupled_weight_decay,
        )
        super().__init__(params, defaults)

    def _rule(self, group):
        beta1, beta2 = group["betas"]
        hyper = [group["lr"], beta1, beta2, group["eps"], group["weight_decay"], group["maximize"]]
        hyper = [float(h) for h in hyper] + [float(group["decoupled_weight_decay"])]
        states = {"exp_avg": 0.0, "exp_avg_sq": 0.0}
        if group["amsgrad"]:
            return "adam_amsgrad", hyper, dict(states, max_exp_avg_sq=0.0)
        return "adam", hyper, states


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    def __init__(
        self,
        params,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=1e-2,
        amsgrad=False,
        *,
        maximize=False,
        foreach=None,
        capturable=False,
        differentiable=False,
        fused=None,
    ):
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )


class RMSprop(_RuleOptimizer):
    """Gradients divided by a running average of their size (Hinton 2012)."""

    def __init__(
        self,
        params,
        lr=1e-2,
        alpha=0.99,
        eps=1e-8,
        weight_decay=0,
        momentum=0,
        centered=False,
        capturable=False,
        foreach=None,
        maximize=False,
        differentiable=False,
    ):
        _not_negative(lr=lr, eps=eps, momentum=momentum, weight_decay=weight_decay, alpha=alpha)
        defaults = dict(
            lr=lr,
            momentum=momentum,
            alpha=alpha,
            eps=eps,
            centered=centered,
            weight_decay=weight_decay,
            capturable=capturable,
            foreach=foreach,
            maximize=maximize,
            differentiable=differentiable,
        )
        super().__init__(params, defaults)

    def _rule(self, group):
        names = ("lr", "alpha", "eps", "weight_decay", "momentum", "centered", "maximize")
        states = {"square_avg": 0.0, "momentum_buffer": 0.0, "grad_avg": 0.0}
        return "rmsprop", [float(group[name]) for name in names], states


class Adagrad(_RuleOptimizer):
    """Gradients divided by the root of the sum of their squares (Duchi et al. 2011)."""

    def __init__(
        self,
        params,
        lr=1e-2,
        lr_decay=0,
        weight_decay=0,
        initial_accumulator_value=0,
        eps=1e-10,
        foreach=None,
        *,
        maximize=False,
        differentiable=False,
        fused=None,
    ):
        _not_negative(lr=lr, lr_decay=lr_decay, weight_decay=weight_decay)
        _not_negative(initial_accumulator_value=initial_accumulator_value, eps=eps)
        defaults = dict(
            lr=lr,
            lr_decay=lr_decay,
            eps=eps,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            foreach=foreach,
            maximize=maximize,
            differentiable=differentiable,
            fused=fused,
        )
        super().__init__(params, defaults)

    def _rule(self, group):
        names = ("lr", "lr_decay", "weight_decay", "eps", "maximize")
        return (
            "adagrad",
            [float(group[name]) for name in names],
            {"sum": group["initial_accumulator_value"]},
        )
