"""The base of all schedules, and what they share."""

import types
import warnings

import gotorch
from gotorch.optim.optimizer import Optimizer

_STEP_ORDER = (
    "Detected call of `lr_scheduler.step()` before `optimizer.step()`. Call `optimizer.step()` first: otherwise the first "
    "value of the learning rate schedule is skipped."
)
_EPOCH_DEPRECATED = (
    "The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where possible. "
    "Please use `scheduler.step()` to step the scheduler."
)


def _listed(name, value, groups):
    """One value for each group."""
    if not isinstance(value, (list, tuple)):
        return [value] * len(groups)
    if len(value) != len(groups):
        raise ValueError(
            f"{name} must have the same length as optimizer.param_groups. "
            f"{name} has {len(value)} values, param_groups has {len(groups)}."
        )
    return list(value)


def _assign(group, key, value):
    """A tensor in a group stays that tensor."""
    if isinstance(group[key], gotorch.Tensor):
        group[key].fill_(float(value))
    else:
        group[key] = value


def _plain(value):
    return value.clone() if isinstance(value, gotorch.Tensor) else value


def _state_of(function):
    """What a state dict keeps of a callable: nothing of a function, the attributes of an object."""
    if function is None or isinstance(function, types.FunctionType):
        return None
    return dict(function.__dict__)


def _check_optimizer(optimizer):
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")


class LRScheduler:
    """Sets each group's `lr` at each step(). Subclasses define get_lr()."""

    def __init__(self, optimizer, last_epoch=-1):
        _check_optimizer(optimizer)
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", _plain(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{i}] when resuming scheduler with last_epoch >= 0.\n"
                    "Load the optimizer's state first, or use last_epoch=-1 for a fresh run."
                )
        self.base_lrs = [_plain(group["initial_lr"]) for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._step_count = 0
        self._is_initial = True
        self._get_lr_called_within_step = False
        self.step()
        self._is_initial = False

    def get_lr(self):
        """The rates for last_epoch, one for each group."""
        raise NotImplementedError

    def get_last_lr(self):
        """The rates that the last step() has set."""
        return self._last_lr

    def step(self, epoch=None):
        """Goes to the next epoch."""
        if self._step_count == 1 and not getattr(self.optimizer, "_opt_called", False):
            warnings.warn(_STEP_ORDER, UserWarning, stacklevel=2)
        self._step_count += 1
        if epoch is not None:
            warnings.warn(_EPOCH_DEPRECATED, UserWarning, stacklevel=2)
        self._go(epoch)

    def _go(self, epoch):
        self._get_lr_called_within_step = True
        try:
            if epoch is None:
                self.last_epoch += 1
                rates = self.get_lr()
            else:
                self.last_epoch = epoch
                closed_form = getattr(self, "_get_closed_form_lr", None)
                rates = self.get_lr() if closed_form is None else closed_form()
        finally:
            self._get_lr_called_within_step = False
        self._set(rates)

    def _set(self, rates):
        for group, rate in zip(self.optimizer.param_groups, rates):
            _assign(group, "lr", rate)
        self._last_lr = self._lrs

    @property
    def _lrs(self):
        return [_plain(group["lr"]) for group in self.optimizer.param_groups]

    def state_dict(self):
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict):
        self.__dict__.update(state_dict)
