"""Function: operations whose forward and backward are written in Python."""

import functools

from gotorch import _C

FunctionCtx = _C._FunctionContext


class Function:
    """Derive from this, write `forward` and `backward` as static methods, and call `apply`.

        class Cube(Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x ** 3

            @staticmethod
            def backward(ctx, grad):
                (x,) = ctx.saved_tensors
                return 3 * x ** 2 * grad

        y = Cube.apply(x)

    `backward` gets one gradient for each output and returns one for each argument of `forward`,
    None for those that are no tensors. With a static method `setup_context(ctx, inputs, output)`,
    `forward` has no `ctx`.
    """

    def __init__(self, *args, **kwargs):
        raise RuntimeError(f"{type(self).__name__} is not instantiated: call its apply()")

    @staticmethod
    def forward(*args, **kwargs):
        raise NotImplementedError("a Function needs a static method forward")

    @staticmethod
    def setup_context(ctx, inputs, output):
        raise NotImplementedError("setup_context is not implemented")

    @staticmethod
    def backward(ctx, *grads):
        raise NotImplementedError("a Function needs a static method backward (or vjp) to run backward")

    @classmethod
    def apply(cls, *args):
        """Runs forward and records it, if an argument requires grad."""
        ctx = FunctionCtx()
        if cls.setup_context is Function.setup_context:
            forward = functools.partial(cls.forward, ctx)
        else:

            def forward(*args):
                output = cls.forward(*args)
                cls.setup_context(ctx, args, output)
                return output

        return _C._apply_function(cls, ctx, forward, *args)


def once_differentiable(backward):
    """Marks a `backward` whose own computation cannot be differentiated: doing so is an error."""

    @functools.wraps(backward)
    def wrapper(ctx, *grads):
        with _C.no_grad():
            outputs = backward(ctx, *grads)
        wanted = any(isinstance(g, _C.Tensor) and g.requires_grad for g in grads)
        if not (_C.is_grad_enabled() and wanted):
            return outputs
        several = isinstance(outputs, tuple)
        values = outputs if several else (outputs,)
        values = tuple(_forbid(v, grads) if isinstance(v, _C.Tensor) else v for v in values)
        return values if several else values[0]

    return wrapper


def _forbid(value, grads):
    tensors = [g for g in grads if isinstance(g, _C.Tensor) and g.requires_grad]
    return _Forbidden.apply(value, *tensors)


class _Forbidden(Function):
    @staticmethod
    def forward(ctx, value, *grads):
        return value.detach()

    @staticmethod
    def backward(ctx, *grads):
        raise RuntimeError("trying to differentiate twice a function that was marked with @once_differentiable")
