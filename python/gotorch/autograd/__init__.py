"""Automatic differentiation: backward, grad, custom functions, gradient checks."""

from gotorch import _C
from gotorch._C import enable_grad, inference_mode, no_grad, set_grad_enabled
from gotorch.autograd import grad_mode, profiler
from gotorch.autograd.anomaly_mode import detect_anomaly, set_detect_anomaly
from gotorch.autograd.function import Function, once_differentiable
from gotorch.autograd.gradcheck import gradcheck, gradgradcheck

__all__ = [
    "Function",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "function",
    "grad",
    "grad_mode",
    "gradcheck",
    "gradgradcheck",
    "inference_mode",
    "no_grad",
    "once_differentiable",
    "profiler",
    "set_detect_anomaly",
    "set_grad_enabled",
]


def _tensors(values, what):
    values = (values,) if isinstance(values, _C.Tensor) else tuple(values)
    for v in values:
        if not isinstance(v, _C.Tensor):
            raise TypeError(f"{what} must be Tensors, got {type(v).__name__}")
    return values


def _gradients_for(outputs, grads):
    """One gradient, or None, for each of the outputs."""
    if grads is None:
        return (None,) * len(outputs)
    grads = (grads,) if isinstance(grads, _C.Tensor) else tuple(grads)
    if len(grads) != len(outputs):
        raise RuntimeError(f"got {len(outputs)} tensors and {len(grads)} gradients")
    for y, g in zip(outputs, grads):
        if g is not None and g.shape != y.shape:
            raise RuntimeError(
                f"Mismatch in shape: a gradient of shape {tuple(g.shape)} was given "
                f"for a tensor of shape {tuple(y.shape)}"
            )
    return grads


def backward(
    tensors,
    grad_tensors=None,
    retain_graph=None,
    create_graph=False,
    grad_variables=None,
    inputs=None,
):
    """Adds to `.grad` of the leaves (of `inputs`, if given) the gradients of the sum of `tensors`.

    grad_tensors: the gradients of the tensors themselves; a tensor of one element needs none.
    retain_graph: keep what backward needs, so it can be called again; default: `create_graph`.
    create_graph: record the computation of the gradients too, for higher derivatives.
    """
    tensors = _tensors(tensors, "backward(): tensors")
    grads = _gradients_for(tensors, grad_tensors if grad_variables is None else grad_variables)
    keep = create_graph if retain_graph is None else retain_graph
    if inputs is not None:
        inputs = _tensors(inputs, "backward(): inputs")
        if not inputs:
            raise RuntimeError("backward(): inputs must not be empty")
    _C._backward(tensors, grads, keep, create_graph, inputs or ())


def grad(
    outputs,
    inputs,
    grad_outputs=None,
    retain_graph=None,
    create_graph=False,
    only_inputs=True,
    allow_unused=None,
    is_grads_batched=False,
    materialize_grads=False,
):
    """The gradients of the sum of `outputs` with respect to `inputs`, as a tuple.

    allow_unused: None for an input that the outputs do not depend on, instead of an error;
    materialize_grads: zeros for it. The other arguments are those of backward().
    """
    if is_grads_batched:
        raise NotImplementedError("grad(): is_grads_batched=True is not supported; use a loop")
    if materialize_grads and allow_unused is False:
        raise ValueError("grad(): materialize_grads=True contradicts allow_unused=False")
    outputs = _tensors(outputs, "grad(): outputs")
    inputs = _tensors(inputs, "grad(): inputs")
    grads = _gradients_for(outputs, grad_outputs)
    keep = create_graph if retain_graph is None else retain_graph
    allow = materialize_grads if allow_unused is None else allow_unused
    result = _C._gradients(outputs, inputs, grads, keep, create_graph, allow)
    if materialize_grads:
        result = tuple(_C.zeros_like(x) if g is None else g for x, g in zip(inputs, result))
    return result


class _VariableType(type):
    def __instancecheck__(cls, other):
        return isinstance(other, _C.Tensor)


class Variable(metaclass=_VariableType):
    """An old name of Tensor."""

    def __new__(cls, data, requires_grad=False, volatile=False):
        t = data.detach()
        t.requires_grad = requires_grad
        return t


def _decorate(context, function):
    """`function` with every call inside a fresh `context`."""
    return grad_mode.decorate(context, function)


_C._set_decorator(_decorate)
