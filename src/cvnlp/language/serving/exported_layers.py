"""Recurrent layers as single operations, for texts of any length.

torch.export would unroll a layer of torch: the graph would have a step for each token of its example. In the ONNX file
a layer is ONNX's own LSTM, GRU or RNN. In the torch.export program it is torch's own again: it is traced as an
operator of this module, with the same arguments, and replaced afterwards.
"""

from typing import Any

import torch
from torch import Tensor, nn

NAMES = {nn.LSTM: "lstm", nn.GRU: "gru", nn.RNN: "rnn_tanh"}
WEIGHTS = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")  # in the operators' order
GATES = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2), "rnn_tanh": (0,), "rnn_relu": (0,)}  # torch's, in ONNX's order
ONNX = {"lstm": "LSTM", "gru": "GRU", "rnn_tanh": "RNN", "rnn_relu": "RNN"}
ATTRIBUTES: dict[str, dict[str, Any]] = {
    "gru": {"linear_before_reset": 1},  # the reset gate acts after the recurrent matrix
    "rnn_tanh": {"activations": ["Tanh"]},
    "rnn_relu": {"activations": ["Relu"]},
}
_LIBRARY = torch.library.Library("cvnlp", "DEF")


def _define(name: str) -> None:
    """The operator cvnlp::name with the arguments and results of aten::name."""
    original = getattr(torch.ops.aten, name).input
    _LIBRARY.define(str(original._schema).removeprefix("aten::").replace(".input(", "("))
    _LIBRARY.impl(name, original, "CompositeExplicitAutograd")

    def shapes(values: Tensor, state: Any, *_: Any) -> tuple[Tensor, ...]:
        first, *others = state if isinstance(state, list) else [state]
        outputs = values.new_empty(values.shape[0], values.shape[1], first.shape[2])
        return outputs, *(torch.empty_like(part) for part in (first, *others))

    torch.library.register_fake(f"cvnlp::{name}", shapes, lib=_LIBRARY)


for _name in GATES:
    _define(_name)

OPERATORS = {
    getattr(torch.ops.cvnlp, name).default: getattr(torch.ops.aten, name).input for name in GATES
}  # traced -> written


def kind_of(layer: nn.RNNBase) -> str:
    """The name of the layer's operator."""
    return "rnn_relu" if getattr(layer, "nonlinearity", "tanh") == "relu" else NAMES[type(layer)]


class TorchLayer(nn.Module):
    """A layer of torch as one operator; (N, T, size) and a state -> (N, T, hidden) and the new state."""

    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__()
        self.kind = kind_of(layer)
        self.weights = nn.ParameterList(getattr(layer, name) for name in WEIGHTS)

    def forward(self, values: Tensor, state: Any) -> tuple[Tensor, Any]:
        operator = getattr(torch.ops.cvnlp, self.kind)
        given = list(state) if self.kind == "lstm" else state
        # with biases, one layer, no dropout, not in training, in one direction, the batch first
        outputs, *new = operator(values, given, list(self.weights), True, 1, 0.0, False, False, True)
        return outputs, tuple(new) if self.kind == "lstm" else new[0]


class OnnxLayer(nn.Module):
    """The same layer as an operation of ONNX; it computes nothing in torch."""

    inputs: Tensor
    recurrent: Tensor
    biases: Tensor

    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__()
        self.kind, self.size = kind_of(layer), layer.hidden_size
        weights = [getattr(layer, name).detach() for name in WEIGHTS]
        inputs, recurrent, *biases = (self._ordered(weight) for weight in weights)
        self.register_buffer("inputs", inputs[None].clone())
        self.register_buffer("recurrent", recurrent[None].clone())
        self.register_buffer("biases", torch.cat(biases)[None])

    def _ordered(self, weight: Tensor) -> Tensor:
        """The gates in ONNX's order."""
        gates = weight.chunk(len(GATES[self.kind]))
        return torch.cat([gates[place] for place in GATES[self.kind]])

    def forward(self, values: Tensor, state: Any) -> tuple[Tensor, Any]:
        parts = tuple(state) if self.kind == "lstm" else (state,)
        sequence = values.transpose(0, 1)
        length, count, _ = sequence.shape
        outputs, *new = torch.onnx.ops.symbolic_multi_out(
            ONNX[self.kind],
            [sequence, self.inputs, self.recurrent, self.biases, None, *parts],
            {"hidden_size": self.size, **ATTRIBUTES.get(self.kind, {})},
            dtypes=[torch.float32] * (1 + len(parts)),
            shapes=[(length, 1, count, self.size), *[(1, count, self.size)] * len(parts)],
        )
        return outputs.squeeze(1).transpose(0, 1), tuple(new) if self.kind == "lstm" else new[0]
