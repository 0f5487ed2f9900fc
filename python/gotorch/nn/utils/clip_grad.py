"""Limits on gradients: call them between backward() and the optimizer's step()."""

import gotorch
from gotorch import _C


def _listed(tensors):
    return [tensors] if isinstance(tensors, gotorch.Tensor) else list(tensors)


def get_total_norm(tensors, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """The norm of all elements of the tensors, as one vector. A RuntimeError if it is not finite, where that is asked."""
    return _C._total_norm(_listed(tensors), float(norm_type), error_if_nonfinite)


def clip_grads_with_norm_(parameters, max_norm, total_norm, foreach=None):
    """Scales the gradients of the parameters by max_norm / total_norm, if that is below 1."""
    grads = [p.grad for p in _listed(parameters) if p.grad is not None]
    _C._scale_to_norm_(grads, float(max_norm), gotorch.as_tensor(total_norm))


def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """Scales the gradients so that their common norm is at most max_norm. Returns the norm before."""
    return _C._clip_grad_norm_(_listed(parameters), float(max_norm), float(norm_type), error_if_nonfinite)


def clip_grad_value_(parameters, clip_value, foreach=None):
    """Limits each element of the gradients to [-clip_value, clip_value]."""
    _C._clip_grad_value_(_listed(parameters), float(clip_value))
