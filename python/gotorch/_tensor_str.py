"""How tensors are printed: PyTorch's format."""

import math

from gotorch import _C


class _Options:
    precision = 4
    threshold = 1000
    edgeitems = 3
    linewidth = 80
    sci_mode = None


_options = _Options()

_PROFILES = {
    "default": (4, 1000, 3, 80),
    "short": (2, 1000, 2, 80),
    "full": (4, math.inf, 3, 80),
}


def set_printoptions(precision=None, threshold=None, edgeitems=None, linewidth=None, profile=None, sci_mode=None):
    """Sets how tensors are printed.

    precision: digits after the point. threshold: tensors with more elements are shortened to
    edgeitems entries at both ends of each dimension. linewidth: characters per line.
    profile: "default", "short" or "full". sci_mode: True or False forces or forbids exponents.
    """
    o = _options
    if profile is not None:
        o.precision, o.threshold, o.edgeitems, o.linewidth = _PROFILES[profile]
    if precision is not None:
        o.precision = precision
    if threshold is not None:
        o.threshold = threshold
    if edgeitems is not None:
        o.edgeitems = edgeitems
    if linewidth is not None:
        o.linewidth = linewidth
    o.sci_mode = sci_mode


def _flat(values):
    if isinstance(values, list):
        for v in values:
            yield from _flat(v)
    elif values is not ...:
        yield values


class _Format:
    """How the numbers of one tensor are written: all in the same style and width."""

    def __init__(self, values, is_floating):
        self.style = "{}"
        if is_floating:
            values = [v for v in values if v != 0 and math.isfinite(v)]
            self._choose_style([abs(v) for v in values])
        self.width = max((len(self._write(v)) for v in values), default=1)

    def _choose_style(self, sizes):
        digits = _options.precision
        low, high = min(sizes, default=0), max(sizes, default=0)
        self.integers = all(v == math.ceil(v) for v in sizes)
        wide = sizes and (high > 1000 * low or high > 1e8 or (not self.integers and low < 1e-4))
        scientific = wide if _options.sci_mode is None else _options.sci_mode
        if scientific:
            self.style, self.integers = f"{{:.{digits}e}}", False
        else:
            self.style = "{:.0f}" if self.integers else f"{{:.{digits}f}}"

    def _write(self, value):
        text = self.style.format(value)
        if isinstance(value, float) and self.integers and math.isfinite(value):
            text += "."
        return text

    def __call__(self, value):
        return self._write(value).rjust(self.width)


def _vector(values, indent, form):
    per_line = len(values)
    if form.width:
        per_line = max(1, (_options.linewidth - indent) // (form.width + 2))
    words = [" ..." if v is ... else form(v) for v in values]
    lines = [", ".join(words[i : i + per_line]) for i in range(0, len(words), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines or [""]) + "]"


def _nested(values, dims, indent, form):
    if dims == 0:
        return form(values)
    if dims == 1:
        return _vector(values, indent, form)
    parts = ["..." if v is ... else _nested(v, dims - 1, indent + 1, form) for v in values]
    return "[" + ("," + "\n" * (dims - 1) + " " * (indent + 1)).join(parts) + "]"


def _grad_suffix(tensor):
    node = tensor.grad_fn
    if node is not None:
        return f"grad_fn=<{node.name().split('::')[-1]}>"
    return "requires_grad=True" if tensor.requires_grad else None


def _default_dtypes():
    return (_C.get_default_dtype(), _C.int64, _C.bool)


def tensor_str(tensor, prefix=None):
    """The text of repr(tensor)."""
    if prefix is None:
        prefix = "tensor("
    suffixes = []
    has_default_dtype = tensor.dtype in _default_dtypes()
    if tensor.numel() == 0:
        body = "[]"
        if tensor.dim() != 1:
            suffixes.append("size=" + str(tuple(tensor.shape)))
        has_default_dtype = tensor.dtype == _C.get_default_dtype()
    else:
        shorten = tensor.numel() > _options.threshold
        values = tensor._edges(_options.edgeitems if shorten else -1)
        form = _Format(list(_flat(values)), tensor.is_floating_point())
        body = _nested(values, tensor.dim(), len(prefix), form)
    if not has_default_dtype:
        suffixes.append("dtype=" + str(tensor.dtype))
    suffixes.append(_grad_suffix(tensor))
    return _join(prefix + body, [s for s in suffixes if s], len(prefix))


def _join(text, suffixes, indent):
    column = len(text) - text.rfind("\n") - 1
    for suffix in suffixes:
        if column + len(suffix) + 2 > _options.linewidth:
            text += ",\n" + " " * indent + suffix
            column = indent + len(suffix)
        else:
            text += ", " + suffix
            column += len(suffix) + 2
    return text + ")"
