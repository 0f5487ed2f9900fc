"""RNN, LSTM, GRU and their cells: the weights, and what they take as input; the ops compute."""

import gotorch
from gotorch.nn import init
from gotorch.nn.module import Module
from gotorch.nn.parameter import Parameter
from gotorch.nn.utils.rnn import PackedSequence

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNBase", "RNNCell", "RNNCellBase"]

# By mode: the gates of a unit.
_GATES = {"RNN_TANH": 1, "RNN_RELU": 1, "LSTM": 4, "GRU": 3}
_NONLINEARITIES = ("tanh", "relu")


def _filled(module):
    """Draws all weights from +-1 / sqrt(hidden_size)."""
    bound = module.hidden_size**-0.5 if module.hidden_size > 0 else 0
    for weight in module.parameters():
        init.uniform_(weight, -bound, bound)


class RNNBase(Module):
    """Several layers, each in one direction or in both; `mode` is RNN_TANH, RNN_RELU, LSTM or GRU."""

    def __init__(
        self,
        mode,
        input_size,
        hidden_size,
        num_layers=1,
        bias=True,
        batch_first=False,
        dropout=0.0,
        bidirectional=False,
        proj_size=0,
        device=None,
        dtype=None,
    ):
        super().__init__()
        for name, value in (("input_size", input_size), ("hidden_size", hidden_size)):
            if not isinstance(value, int):
                raise TypeError(f"{name} should be of type int, got: {type(value).__name__}")
        if hidden_size <= 0:
            raise ValueError(f"hidden_size must be greater than zero, got {hidden_size}")
        if num_layers <= 0:
            raise ValueError(f"num_layers must be greater than zero, got {num_layers}")
        if isinstance(dropout, bool) or not 0 <= dropout <= 1:
            raise ValueError(f"dropout should be a number in range [0, 1], got {dropout}")
        if proj_size < 0 or proj_size >= hidden_size:
            raise ValueError(f"proj_size has to be from 0 to below hidden_size {hidden_size}, got {proj_size}")
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        gotorch.device(device or "cpu")
        self._names = []
        for layer in range(num_layers):
            for suffix in ("", "_reverse")[: 1 + bool(bidirectional)]:
                self._names.append(self._register(layer, suffix, dtype))
        self.reset_parameters()

    def _register(self, layer, suffix, dtype):
        gates, state = _GATES[self.mode] * self.hidden_size, self.proj_size or self.hidden_size
        inputs = self.input_size if layer == 0 else state * (1 + bool(self.bidirectional))
        shapes = {"weight_ih": (gates, inputs), "weight_hh": (gates, state)}
        if self.bias:
            shapes.update(bias_ih=(gates,), bias_hh=(gates,))
        if self.proj_size:
            shapes["weight_hr"] = (self.proj_size, self.hidden_size)
        for name, shape in shapes.items():
            self.register_parameter(f"{name}_l{layer}{suffix}", Parameter(gotorch.empty(shape, dtype=dtype)))
        return [f"{name}_l{layer}{suffix}" for name in shapes]

    def reset_parameters(self):
        """Draws new initial values, as the constructor did."""
        _filled(self)

    def flatten_parameters(self):
        """Does nothing: weights are packed as they are used."""

    @property
    def all_weights(self):
        """The weights of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._names]

    @property
    def _flat_weights(self):
        return [weight for weights in self.all_weights for weight in weights]

    def extra_repr(self):
        parts = [f"{self.input_size}, {self.hidden_size}"]
        if self.proj_size:
            parts.append(f"proj_size={self.proj_size}")
        if self.num_layers != 1:
            parts.append(f"num_layers={self.num_layers}")
        if self.bias is not True:
            parts.append(f"bias={self.bias}")
        if self.batch_first:
            parts.append(f"batch_first={self.batch_first}")
        if self.dropout:
            parts.append(f"dropout={self.dropout}")
        if self.bidirectional:
            parts.append(f"bidirectional={self.bidirectional}")
        return ", ".join(parts)

    def forward(self, input, hx=None):
        """(output, state); the state, and hx, is (h, c) for LSTM and h for the others."""
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx)
        name = type(self).__name__
        if input.dim() not in (2, 3):
            raise ValueError(f"{name}: Expected input to be 2D or 3D, got {input.dim()}D instead")
        batched = input.dim() == 3
        batch_dim = 0 if self.batch_first else 1
        if not batched:
            input = input.unsqueeze(batch_dim)
        states = self._states(hx)
        if states is not None:
            self._check_dims(states, batched)
            if not batched:
                states = [s.unsqueeze(1) for s in states]
        self._check_input(input)
        states = self._checked_states(states, input, input.size(batch_dim))
        output, *states = self._call(input, states, self.batch_first)
        if not batched:
            output, states = output.squeeze(batch_dim), [s.squeeze(1) for s in states]
        return output, self._result(states)

    def _forward_packed(self, packed, hx):
        states = self._states(hx)
        if states is not None and packed.sorted_indices is not None:
            states = [s.index_select(1, packed.sorted_indices) for s in states]
        self._check_input(packed.data, 2)
        states = self._checked_states(states, packed.data, int(packed.batch_sizes[0]))
        output, *states = self._call(packed.data, states, None, packed.batch_sizes)
        if packed.unsorted_indices is not None:
            states = [s.index_select(1, packed.unsorted_indices) for s in states]
        return packed._replace(data=output), self._result(states)

    def _call(self, input, states, batch_first, batch_sizes=None):
        hx = states if self.mode == "LSTM" else states[0]
        options = [self._flat_weights, self.bias, self.num_layers, self.dropout, self.training, self.bidirectional]
        if batch_sizes is None:
            return _OPS[self.mode](input, hx, *options, batch_first)
        return _OPS[self.mode](input, batch_sizes, hx, *options)

    def _states(self, hx):
        """hx as a list of tensors, or None."""
        if hx is None or self.mode != "LSTM":
            return hx if hx is None else [hx]
        h, c = hx
        return [h, c]

    def _result(self, states):
        return tuple(states) if self.mode == "LSTM" else states[0]

    def _check_dims(self, states, batched):
        dims = 3 if batched else 2
        if any(s.dim() != dims for s in states):
            kind = "batched 3-D" if batched else "unbatched 2-D"
            got = ", ".join(f"{s.dim()}-D" for s in states)
            raise RuntimeError(f"For {kind} input, the hidden state should also be {dims}-D but got {got}")

    def _check_input(self, input, dims=3):
        weight = self._flat_weights[0]
        if input.dtype != weight.dtype:
            raise ValueError(f"RNN input dtype ({input.dtype}) does not match weight dtype ({weight.dtype})")
        if input.dim() != dims:
            raise RuntimeError(f"input must have {dims} dimensions, got {input.dim()}")
        if input.size(-1) != self.input_size:
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.size(-1)}"
            )

    def _checked_states(self, states, input, batch):
        count = self.num_layers * (1 + bool(self.bidirectional))
        sizes = [self.proj_size or self.hidden_size, self.hidden_size][: 2 if self.mode == "LSTM" else 1]
        shapes = [(count, batch, size) for size in sizes]
        if states is None:
            return [gotorch.zeros(shape, dtype=input.dtype) for shape in shapes]
        for i, (state, shape) in enumerate(zip(states, shapes)):
            if tuple(state.shape) != shape:
                raise RuntimeError(f"Expected hidden[{i}] size {shape}, got {list(state.shape)}")
        return states


class RNN(RNNBase):
    """h = tanh(x W_ih^T + b_ih + h W_hh^T + b_hh), or relu of it, over [t, b, input_size]."""

    def __init__(self, *args, nonlinearity="tanh", **kwargs):
        # PyTorch's fourth positional argument.
        if len(args) > 3:
            args, nonlinearity = args[:3] + args[4:], args[3]
        if nonlinearity not in _NONLINEARITIES:
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        _no_projection("RNN", kwargs)
        super().__init__(f"RNN_{nonlinearity.upper()}", *args, **kwargs)
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Long short-term memory over [t, b, input_size]; with proj_size, h is projected to that size."""

    def __init__(self, *args, **kwargs):
        super().__init__("LSTM", *args, **kwargs)


class GRU(RNNBase):
    """Gated recurrent unit over [t, b, input_size]."""

    def __init__(self, *args, **kwargs):
        _no_projection("GRU", kwargs)
        super().__init__("GRU", *args, **kwargs)


def _no_projection(name, kwargs):
    if "proj_size" in kwargs:
        raise ValueError(f"proj_size argument is only supported for LSTM, not {name}")


class RNNCellBase(Module):
    """One step of one layer."""

    def __init__(self, input_size, hidden_size, bias, num_chunks, device=None, dtype=None):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        gotorch.device(device or "cpu")
        gates = num_chunks * hidden_size
        shapes = {"weight_ih": (gates, input_size), "weight_hh": (gates, hidden_size)}
        shapes.update(bias_ih=(gates,), bias_hh=(gates,))
        for name, shape in shapes.items():
            wanted = bias or name.startswith("weight")
            self.register_parameter(name, Parameter(gotorch.empty(shape, dtype=dtype)) if wanted else None)
        self.reset_parameters()

    def reset_parameters(self):
        """Draws new initial values, as the constructor did."""
        _filled(self)

    def extra_repr(self):
        parts = [f"{self.input_size}, {self.hidden_size}"]
        if self.bias is not True:
            parts.append(f"bias={self.bias}")
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            parts.append(f"nonlinearity={self.nonlinearity}")
        return ", ".join(parts)

    def _step(self, op, input, states):
        """op on a batch; `states` is a list of tensors or None."""
        name = type(self).__name__
        for kind, x in (("input", input), *(("hidden", s) for s in states or ())):
            if x.dim() not in (1, 2):
                raise ValueError(f"{name}: Expected {kind} to be 1D or 2D, got {x.dim()}D instead")
        batched = input.dim() == 2
        if not batched:
            input = input.unsqueeze(0)
        if states is None:
            zeros = gotorch.zeros(input.size(0), self.hidden_size, dtype=input.dtype)
            states = [zeros] * (2 if op is gotorch.lstm_cell else 1)
        elif not batched:
            states = [s.unsqueeze(0) if s.dim() == 1 else s for s in states]
        hx = states if op is gotorch.lstm_cell else states[0]
        result = op(input, hx, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        if batched:
            return result
        return tuple(r.squeeze(0) for r in result) if isinstance(result, tuple) else result.squeeze(0)


class RNNCell(RNNCellBase):
    """h = tanh(x W_ih^T + b_ih + h W_hh^T + b_hh), or relu of it."""

    def __init__(self, input_size, hidden_size, bias=True, nonlinearity="tanh", device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input, hx=None):
        if self.nonlinearity not in _NONLINEARITIES:
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        op = gotorch.rnn_tanh_cell if self.nonlinearity == "tanh" else gotorch.rnn_relu_cell
        return self._step(op, input, None if hx is None else [hx])


class LSTMCell(RNNCellBase):
    """One step of LSTM: (h, c) from the input and hx = (h, c)."""

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input, hx=None):
        if isinstance(hx, gotorch.Tensor):
            raise TypeError("lstm_cell(): argument 'hx' must be a tuple of Tensors, not Tensor")
        return self._step(gotorch.lstm_cell, input, None if hx is None else list(hx))


class GRUCell(RNNCellBase):
    """One step of GRU."""

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input, hx=None):
        return self._step(gotorch.gru_cell, input, None if hx is None else [hx])


_OPS = {
    "RNN_TANH": gotorch.rnn_tanh,
    "RNN_RELU": gotorch.rnn_relu,
    "LSTM": gotorch.lstm,
    "GRU": gotorch.gru,
}
