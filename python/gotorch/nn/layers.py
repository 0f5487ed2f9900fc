"""The classes of the layers that C++ defines: layers/*.cpp."""

import re

import gotorch
from gotorch import _C
from gotorch.nn.module import Module
from gotorch.nn.parameter import Parameter


class _TableLayer(Module):
    """A layer of the C++ table: options by signature, tensors and forward by its definition."""

    _layer = None  # of each subclass

    def __init__(self, *args, device=None, dtype=None, **kwargs):
        super().__init__()
        gotorch.device(device or "cpu")
        options = _bind(self._layer, args, kwargs)
        slots = self._layer.build(options, dtype or gotorch.get_default_dtype())
        names = {name for name, *_ in slots}
        for (name, *_), value in zip(self._layer.params, options):
            if name == "stride" and value is None:
                value = self.kernel_size
            if name not in names:  # `bias=True` becomes the parameter itself
                object.__setattr__(self, name, value)
        for name, is_parameter, tensor in slots:
            if is_parameter:
                self.register_parameter(name, None if tensor is None else Parameter(tensor))
            else:
                self.register_buffer(name, tensor)

    def _options(self):
        values = []
        for name, kind, *_ in self._layer.params:
            value = getattr(self, name, None)
            values.append(value is not None if kind == "bool" and not isinstance(value, bool) else value)
        return values

    def reset_parameters(self):
        """Draws new initial values, as the constructor did."""
        tensors = list(self._parameters.values()) + list(self._buffers.values())
        self._layer.reset(self._options(), tensors)

    def extra_repr(self):
        return _filled(self._layer.repr, self)


def _bind(layer, args, kwargs):
    """The values of the signature's parameters, in its order, from a call's arguments."""
    params = layer.params
    positional = [p for p in params if not p[2]]
    if len(args) > len(positional):
        raise TypeError(f"{layer.signature} takes {len(positional)} positional arguments, got {len(args)}")
    given = dict(zip((p[0] for p in positional), args))
    for name, value in kwargs.items():
        if name in given:
            raise TypeError(f"{layer.name}() got multiple values for argument '{name}'")
        given[name] = value
    values = []
    for name, kind, _, has_default, default in params:
        if name in given:
            value = given.pop(name)
        elif has_default:
            value = default
        else:
            raise TypeError(f"{layer.name}() missing required argument: '{name}'")
        values.append(_sized(kind, value))
    given.pop("size_average", None), given.pop("reduce", None)
    if given:
        raise TypeError(f"{layer.name}() got an unexpected keyword argument '{next(iter(given))}'")
    return values


def _sized(kind, value):
    """One integer stands for all of an `int[2]`; an `int[]` stays as it was given."""
    size = re.match(r"int\[(\d+)\]", kind)
    if not size or value is None:
        return value
    return (value,) * int(size[1]) if isinstance(value, int) else tuple(value)


def _filled(form, layer):
    """The printed form: {name}, {name!r}, {name?} if it is set, {name*} if it is not the default."""
    defaults = {name: _sized(kind, default) for name, kind, _, _, default in layer._layer.params}

    def value(match):
        name, how = match[1], match[2]
        v = getattr(layer, name)
        if name == "bias":
            v = v is not None
        if how == "*":
            return "" if v == defaults[name] else f", {name}={v}"
        if how == "?":
            return f"{name}=True" if v else ""
        return repr(v) if how == "!r" else str(v)

    return re.sub(r"\{(\w+)(\?|!r|\*)?\}", value, form).rstrip(", ")


def _make(layer):
    members = {
        "_layer": layer,
        "forward": layer.forward(),
        "__doc__": layer.doc + "\n\n    " + layer.signature,
    }
    members["__module__"] = "gotorch.nn.layers"
    if layer.name.startswith("BatchNorm"):
        members["_version"] = 2
        members["reset_running_stats"] = _reset_running_stats
    return type(layer.name, (_TableLayer,), members)


def _reset_running_stats(self):
    if self.track_running_stats:
        self.running_mean.zero_()
        self.running_var.fill_(1)
        self.num_batches_tracked.zero_()


globals().update({layer.name: _make(layer) for layer in _C._layers})
__all__ = [layer.name for layer in _C._layers]
