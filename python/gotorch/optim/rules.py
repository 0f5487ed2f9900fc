"""The optimizers of the C++ table: optim/*.cpp."""

import ast
import inspect

import gotorch
from gotorch import _C
from gotorch.optim.optimizer import Optimizer


class _TableOptimizer(Optimizer):
    """An optimizer whose options, states and update the table defines."""

    _type = None  # of each subclass

    def _setup(self, params, options):
        self._type.validate(options)
        if options.get("fused") and options.get("differentiable"):
            raise RuntimeError("`fused` does not support `differentiable`")
        if options.get("fused") and options.get("foreach"):
            raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
        if options.get("differentiable"):
            raise NotImplementedError(f"{type(self).__name__}: differentiable=True is not supported")
        if isinstance(options["lr"], gotorch.Tensor) and options.get("foreach"):
            raise ValueError("lr as a Tensor is not supported for capturable=False and foreach=True")
        super().__init__(params, options)
        if self._type.eager:
            for group in self.param_groups:
                self._type.init_states(group, self.state)

    def __setstate__(self, state):
        super().__setstate__(state)
        for group in self.param_groups:  # one that was saved by an older version may lack an option
            for name, value in _defaults(self._type).items():
                group.setdefault(name, value)

    def step(self, closure=None):
        """One update. `closure` recomputes the loss and is called first; its result is returned."""
        loss = None
        if closure is not None:
            with gotorch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            self._type.step(group, self.state)
        return loss


def _defaults(type_):
    return {name: ast.literal_eval(default) for name, default, _ in type_.parameters}


def _constructor(type_, fixed):
    """__init__ with the options of the table as its parameters; `fixed` ones cannot be chosen."""
    kind = inspect.Parameter
    parameters = [kind("self", kind.POSITIONAL_OR_KEYWORD), kind("params", kind.POSITIONAL_OR_KEYWORD)]
    defaults = _defaults(type_)
    for name, _, keyword_only in type_.parameters:
        place = kind.KEYWORD_ONLY if keyword_only else kind.POSITIONAL_OR_KEYWORD
        parameters.append(kind(name, place, default=defaults[name]))
    signature = inspect.Signature(parameters)

    def __init__(self, *args, **kwargs):
        try:
            bound = signature.bind(self, *args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{type_.name}.__init__(): {error}") from None
        bound.apply_defaults()
        options = dict(bound.arguments)
        del options["self"]
        self._setup(options.pop("params"), {**options, **fixed})

    __init__.__signature__ = signature
    return __init__


def _define():
    bases = {"AdamW": "Adam"}  # as isinstance() sees them
    fixed = {"AdamW": {"decoupled_weight_decay": True}}
    for type_ in _C._optimizers:
        members = {
            "__init__": _constructor(type_, fixed.get(type_.name, {})),
            "__doc__": type_.doc,
            "__module__": __name__,
            "_type": type_,
        }
        base = globals().get(bases.get(type_.name), _TableOptimizer)
        globals()[type_.name] = type(type_.name, (base,), members)


_define()
