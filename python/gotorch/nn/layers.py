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
        params = self._layer.params
        count = sum(not keyword_only for _, _, keyword_only, _, _ in params)
        # As PyTorch has them: behind the positional parameters.
        device, dtype = (*args[count : count + 2], device, dtype)[:2] if len(args) > count else (device, dtype)
        gotorch.device(device or "cpu")
        options = _bind(self._layer, args[:count] + args[count + 2 :], kwargs)
        slots, changed = self._layer.build(options, dtype or gotorch.get_default_dtype())
        names = {name for name, *_ in slots}
        for (name, *_), value in zip(params, options):
            value = changed.get(name, value)
            if name == "stride" and value is None:
                value = self.kernel_size
            # `bias=True` becomes the parameter itself; `_weight` is for the constructor only.
            if name not in names and name[0] != "_":
                object.__setattr__(self, name, value)
        for name, is_parameter, tensor, requires_grad in slots:
            if is_parameter:
                self.register_parameter(name, None if tensor is None else Parameter(tensor, requires_grad))
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
    if "size_average" in kwargs or "reduce" in kwargs:
        kwargs = _with_reduction(**kwargs)
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
    if given:
        raise TypeError(f"{layer.name}() got an unexpected keyword argument '{next(iter(given))}'")
    return values


def _with_reduction(size_average=None, reduce=None, **kwargs):
    """The two flags that `reduction` replaced."""
    if size_average is not None or reduce is not None:
        mean = size_average is None or size_average
        kwargs["reduction"] = "none" if reduce is False else "mean" if mean else "sum"
    return kwargs


def _sized(kind, value):
    """One integer stands for all of an `int[2]`; an `int[]` stays as it was given."""
    size = re.match(r"int\[(\d+)\]", kind)
    if not size or value is None or isinstance(value, str):
        # The table keeps the default of an `int[]` as a list of one.
        return value[0] if kind.startswith("int[]") and isinstance(value, tuple) and len(value) == 1 else value
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

    return re.sub(r"\{(\w+)(\?|!r|\*)?\}", value, form).strip(", ")


def _make(layer):
    members = {
        "_layer": layer,
        "forward": layer.forward(),
        "__doc__": layer.doc + "\n\n    " + layer.signature,
    }
    members["__module__"] = "gotorch.nn.layers"
    for part, attributes in _ATTRIBUTES.items():
        if part in layer.name:
            members.update(attributes)
    base = next((base for part, base in _BASES.items() if part in layer.name), _TableLayer)
    return type(layer.name, (base,), members)


class _RunningStatistics(_TableLayer):
    _version = 2

    def reset_running_stats(self):
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *args):
        key = prefix + "num_batches_tracked"
        # Before version 2 there was no count.
        if (local_metadata.get("version") or 1) < 2 and self.track_running_stats and key not in state_dict:
            state_dict[key] = self.num_batches_tracked
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args)


class _Embedding(_TableLayer):
    @classmethod
    def from_pretrained(cls, embeddings, freeze=True, padding_idx=None, **options):
        """An embedding on the given weight [num_embeddings, embedding_dim]."""
        if embeddings.dim() != 2:
            raise AssertionError("Embeddings parameter is expected to be 2-dimensional")
        return cls(*embeddings.shape, padding_idx, _weight=embeddings, _freeze=freeze, **options)


class _EmbeddingBag(_TableLayer):
    @classmethod
    def from_pretrained(cls, embeddings, freeze=True, *args, **kwargs):
        """Bags on the given weight [num_embeddings, embedding_dim]; the options are the constructor's without _weight."""
        if embeddings.dim() != 2:
            raise AssertionError("Embeddings parameter is expected to be 2-dimensional")
        names = ("max_norm", "norm_type", "scale_grad_by_freq", "mode", "sparse", "include_last_offset", "padding_idx")
        made = cls(*embeddings.shape, _weight=embeddings, **dict(zip(names, args)), **kwargs)
        made.weight.requires_grad_(not freeze)
        return made


class _Identity(_TableLayer):
    def __init__(self, *args, **kwargs):
        """Takes any arguments, so that it can stand for any layer."""
        super().__init__()


# What layers with such a part in their names have besides.
_BASES = {
    "BatchNorm": _RunningStatistics,
    "InstanceNorm": _RunningStatistics,
    "EmbeddingBag": _EmbeddingBag,
    "Embedding": _Embedding,
    "Identity": _Identity,
}
# Attributes of theirs that are no options.
_ATTRIBUTES = {
    "ReLU6": {"min_val": 0.0, "max_val": 6.0},
    "ZeroPad": {"value": 0.0},
    "Upsample": {"name": "Upsample"},
    "PairwiseDistance": {"norm": property(lambda self: self.p)},
    "ConvTranspose": {"transposed": True},
    **{f"Conv{n}d": {"transposed": False, "output_padding": (0,) * n} for n in (1, 2, 3)},
}


globals().update({layer.name: _make(layer) for layer in _C._layers})
__all__ = [layer.name for layer in _C._layers]
