"""Hooks of modules: functions that see, and may replace, what goes through a module."""

import contextlib
import itertools

import gotorch
from gotorch.autograd import Function


class RemovableHandle:
    """Returned by the register_*_hook functions; remove() takes the hook out again."""

    _ids = itertools.count()

    def __init__(self, hooks, *marks):
        self.hooks, self.marks, self.id = hooks, marks, next(self._ids)

    def remove(self):
        self.hooks.pop(self.id, None)
        for marked in self.marks:
            marked.discard(self.id)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.remove()


def register(hooks, hook, prepend=False, marks=()):
    """Adds a hook, to the front if `prepend`, and its id to each set of `marks`."""
    handle = RemovableHandle(hooks, *marks)
    hooks[handle.id] = hook
    for marked in marks:
        marked.add(handle.id)
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


class GlobalHooks:
    """Hooks of all modules; they run before a module's own."""

    def __init__(self):
        self.forward_pre, self.forward, self.backward_pre, self.backward = {}, {}, {}, {}
        self.always_called = set()

    def __bool__(self):
        return bool(self.forward_pre or self.forward or self.backward_pre or self.backward)


every = GlobalHooks()


def register_module_forward_pre_hook(hook):
    """hook(module, inputs) before the forward of every module."""
    return register(every.forward_pre, hook)


def register_module_forward_hook(hook, *, with_kwargs=False, always_call=False):
    """hook(module, inputs, output) after the forward of every module."""
    if with_kwargs:
        return register(every.forward, lambda module, args, output: hook(module, args, {}, output))
    return register(every.forward, hook, marks=[every.always_called] if always_call else [])


def register_module_full_backward_pre_hook(hook):
    """hook(module, grad_output) when the gradients of any module's outputs are there."""
    return register(every.backward_pre, hook)


def register_module_full_backward_hook(hook):
    """hook(module, grad_input, grad_output) when the gradients of any module's inputs are there."""
    return register(every.backward, hook)


def call(module, args, kwargs):
    """module.forward() with all hooks around it."""
    args, kwargs = _before(module, args, kwargs)
    backward_pre = [*every.backward_pre.values(), *module._backward_pre_hooks.values()]
    backward = [*every.backward.values(), *module._backward_hooks.values()]
    watch = _Backward(module, backward_pre, backward) if backward or backward_pre else None
    called = set()
    output = None
    try:
        if watch:
            args = watch.inputs(args)
        output = module.forward(*args, **kwargs)
        for key, run in _forward_hooks(module, kwargs):
            called.add(key)
            result = run(module, args, output)
            if result is not None:
                output = result
        return watch.outputs(output) if watch else output
    except Exception:
        always = every.always_called | module._forward_hooks_always_called
        for key, run in _forward_hooks(module, kwargs):
            if key in always and key not in called:
                # The first error is the one to report.
                with contextlib.suppress(Exception):
                    result = run(module, args, output)
                    output = output if result is None else result
        raise


def _before(module, args, kwargs):
    for hook in list(every.forward_pre.values()):
        result = hook(module, args)
        if result is not None:
            args = result if isinstance(result, tuple) else (result,)
    for key, hook in list(module._forward_pre_hooks.items()):
        if key in module._forward_pre_hooks_with_kwargs:
            result = hook(module, args, kwargs)
            if result is not None:
                if not (isinstance(result, tuple) and len(result) == 2):
                    raise RuntimeError(
                        f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {result}."
                    )
                args, kwargs = result
        else:
            result = hook(module, args)
            if result is not None:
                args = result if isinstance(result, tuple) else (result,)
    return args, kwargs


def _forward_hooks(module, kwargs):
    """(key, hook) of the hooks that run after forward, all called as hook(module, args, output)."""
    yield from list(every.forward.items())
    for key, hook in list(module._forward_hooks.items()):
        if key in module._forward_hooks_with_kwargs:
            yield key, lambda module, args, output, hook=hook: hook(module, args, kwargs, output)
        else:
            yield key, hook


class _Passage(Function):
    """Hands tensors on, and their gradients back through a function."""

    @staticmethod
    def forward(ctx, change, *tensors):
        ctx.change = change
        return tuple(t.detach() for t in tensors)

    @staticmethod
    def backward(ctx, *grads):
        return None, *ctx.change(grads)


class _Backward:
    """One call of a module that has backward hooks."""

    def __init__(self, module, pre_hooks, hooks):
        self.module, self.pre_hooks, self.hooks = module, pre_hooks, hooks
        self.grad_output = None
        self.count = self.watched = 0

    def inputs(self, args):
        args, self.count = tuple(args), len(args)
        args, self.watched = self._through(args, self._inputs_ready)
        return args

    def outputs(self, output):
        single = not isinstance(output, tuple)
        outputs, _ = self._through((output,) if single else output, self._outputs_ready)
        return outputs[0] if single else outputs

    def _through(self, values, ready):
        places = [i for i, v in enumerate(values) if isinstance(v, gotorch.Tensor)]
        if not gotorch.is_grad_enabled() or not any(values[i].requires_grad for i in places):
            return values, 0

        def change(grads):
            padded = [None] * len(values)
            for i, g in zip(places, grads):
                padded[i] = g
            changed = ready(tuple(padded))
            return [changed[i] for i in places]

        passed = _Passage.apply(change, *[values[i] for i in places])
        values = list(values)
        for i, t in zip(places, passed):
            values[i] = t
        return tuple(values), len(places)

    def _outputs_ready(self, grads):
        for hook in self.pre_hooks:
            result = hook(self.module, grads)
            if result is not None:
                grads = self._checked(result, grads, "Backward pre hook", "grad_output")
        self.grad_output = grads
        if not self.watched:
            for hook in self.hooks:
                result = hook(self.module, (None,) * self.count, grads)
                if result is not None and any(g is not None for g in result):
                    raise RuntimeError(
                        "Backward hook for Modules where no input requires gradient should always return None or None "
                        "for all gradients."
                    )
        return grads

    def _inputs_ready(self, grads):
        for hook in self.hooks:
            result = hook(self.module, grads, self.grad_output)
            if result is not None:
                grads = self._checked(result, grads, "Backward hook", "grad_input")
        return grads

    @staticmethod
    def _checked(result, grads, what, name):
        result = result if isinstance(result, tuple) else (result,)
        if len(result) != len(grads):
            raise RuntimeError(
                f"{what} returned an invalid number of {name}, got {len(result)}, but expected {len(grads)}"
            )
        return result
