"""Gradients compared with finite differences.

For small e, (f(x + e*u) - f(x - e*u)) / 2e is the derivative along u up to an error of order e**2.
"""

from gotorch import _C


class GradcheckError(RuntimeError):
    """A gradient differs from the finite difference."""


def _as_tuple(x):
    return tuple(x) if isinstance(x, (tuple, list)) else (x,)


def _differentiable(values):
    return [v for v in values if isinstance(v, _C.Tensor) and v.requires_grad]


def _outputs(function, inputs):
    values = _as_tuple(function(*inputs))
    return [v for v in values if isinstance(v, _C.Tensor) and v.dtype.is_floating_point]


def _gradients(outputs, inputs, weights, create_graph=False):
    pairs = [(y, w) for y, w in zip(outputs, weights) if y.requires_grad]
    if not pairs:
        return tuple(_C.zeros_like(x) for x in inputs)
    from gotorch.autograd import grad

    return grad(
        [y for y, _ in pairs],
        inputs,
        [w for _, w in pairs],
        retain_graph=True,
        create_graph=create_graph,
        materialize_grads=True,
    )


def _moved(function, inputs, x, step):
    """The outputs with `x`, one of the inputs, moved by `step`."""
    before = x.detach().clone()
    with _C.no_grad():
        x.add_(step)
    try:
        return [y.detach().clone() for y in _outputs(function, inputs)]
    finally:
        with _C.no_grad():
            x.copy_(before)


def _difference(function, inputs, x, direction, eps):
    """The derivative of each output along `direction` of input `x`."""
    plus = _moved(function, inputs, x, direction * eps)
    minus = _moved(function, inputs, x, direction * -eps)
    return [(p - m) / (2 * eps) for p, m in zip(plus, minus)]


def _check_inputs(inputs):
    chosen = _differentiable(inputs)
    if not chosen:
        raise ValueError("gradcheck: at least one input must be a tensor with requires_grad=True")
    for x in chosen:
        if x.numel() and any(s == 0 and n > 1 for s, n in zip(x.stride(), x.shape)):
            raise RuntimeError("gradcheck: an input with stride 0 cannot be moved element by element")
    return chosen


def _basis(x):
    for i in range(x.numel()):
        e = [0.0] * x.numel()
        e[i] = 1.0
        yield i, _C.tensor(e, dtype=x.dtype).view(x.shape)


def _compare(analytic, numeric, where, atol, rtol):
    if abs(analytic - numeric) <= atol + rtol * abs(numeric):
        return
    raise GradcheckError(f"gradcheck: {where}: the gradient is {analytic:.8g}, the finite difference {numeric:.8g}")


def _check_all(function, inputs, eps, atol, rtol):
    """Every element of every output with respect to every element of every input."""
    chosen = _check_inputs(inputs)
    outputs = _outputs(function, inputs)
    rows = {}
    for k, y in enumerate(outputs):
        for i, e in _basis(y):
            weights = [_C.zeros_like(o) for o in outputs]
            weights[k] = e
            rows[k, i] = [g.contiguous().view(-1).tolist() for g in _gradients(outputs, chosen, weights)]
    for n, x in enumerate(chosen):
        for j, direction in _basis(x):
            for k, d in enumerate(_difference(function, inputs, x, direction, eps)):
                for i, numeric in enumerate(d.contiguous().view(-1).tolist()):
                    where = f"output {k}, element {i}, by input {n}, element {j}"
                    _compare(rows[k, i][n][j], numeric, where, atol, rtol)


def _random_like(x, generator):
    """Numbers in [-1, 1) that keep away from 0, from a small generator of its own."""
    values = []
    for _ in range(x.numel()):
        generator[0] = (generator[0] * 1103515245 + 12345) % 2**31
        u = generator[0] / 2**30 - 1
        values.append(u + (0.1 if u >= 0 else -0.1))
    return _C.tensor(values, dtype=x.dtype).view(x.shape)


def _check_projection(function, inputs, eps, atol, rtol):
    """One random combination of the outputs along one random direction of each input."""
    chosen = _check_inputs(inputs)
    outputs = _outputs(function, inputs)
    generator = [12345]
    weights = [_random_like(y, generator) for y in outputs]
    grads = _gradients(outputs, chosen, weights)
    for n, x in enumerate(chosen):
        if not x.numel():
            continue
        u = _random_like(x, generator)
        numeric = sum(_dot(w, d) for w, d in zip(weights, _difference(function, inputs, x, u, eps)))
        _compare(_dot(grads[n], u), numeric, f"input {n} along a random direction", atol, rtol)


def _dot(a, b):
    return sum(p * q for p, q in zip(a.detach().contiguous().view(-1).tolist(), b.contiguous().view(-1).tolist()))


def gradcheck(
    func,
    inputs,
    *,
    eps=1e-6,
    atol=1e-5,
    rtol=1e-3,
    raise_exception=True,
    fast_mode=False,
    **unused,
):
    """True if backward through `func` agrees with finite differences at `inputs`.

    Inputs should be float64 with requires_grad=True. fast_mode checks one random projection
    instead of all elements. Raises GradcheckError, or returns False without `raise_exception`.
    """
    inputs = _as_tuple(inputs)
    try:
        (_check_projection if fast_mode else _check_all)(func, inputs, eps, atol, rtol)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func,
    inputs,
    grad_outputs=None,
    *,
    eps=1e-6,
    atol=1e-5,
    rtol=1e-3,
    raise_exception=True,
    fast_mode=False,
    **unused,
):
    """gradcheck of the gradients of `func`, with respect to the inputs and to grad_outputs."""
    inputs = _as_tuple(inputs)
    outputs = [y for y in _outputs(func, inputs) if y.requires_grad]
    if grad_outputs is None:
        generator = [54321]
        grad_outputs = [_random_like(y, generator).requires_grad_() for y in outputs]
    grad_outputs = _as_tuple(grad_outputs)
    count = len(inputs)

    def gradients(*args):
        chosen = _differentiable(args[:count])
        y = [o for o in _outputs(func, args[:count]) if o.requires_grad]
        return _gradients(y, chosen, args[count:], create_graph=True)

    return gradcheck(
        gradients,
        (*inputs, *grad_outputs),
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        fast_mode=fast_mode,
    )
