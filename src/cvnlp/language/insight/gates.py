"""Recurrent layers step by step: their states and gates at every token, which torch's fused layers do not return."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvnlp.language.models import Recurrent

Layer = Any  # an nn.RNN, nn.GRU or nn.LSTM of one layer
Step = dict[str, Tensor]  # the state `hidden`, the LSTM's `memory`, and the gates of the cell, each (B, hidden)
GATES = ("input", "forget", "output", "reset", "update")  # from 0, closed, to 1, open


def unroll(layer: Layer, values: Tensor) -> Iterator[Step]:
    """The state and the gates of one layer after every step of the inputs (B, T, size), from a zero state."""
    step = STEPS[type(layer)]
    hidden = values.new_zeros(len(values), layer.hidden_size)
    current: Step = {"hidden": hidden, "memory": hidden}
    for from_input in F.linear(values, layer.weight_ih_l0, layer.bias_ih_l0).unbind(1):
        from_state = F.linear(current["hidden"], layer.weight_hh_l0, layer.bias_hh_l0)
        current = step(layer, from_input, from_state, current)
        yield current


def _rnn_step(layer: Layer, from_input: Tensor, from_state: Tensor, previous: Step) -> Step:
    return {"hidden": (torch.tanh if layer.nonlinearity == "tanh" else torch.relu)(from_input + from_state)}


def _gru_step(layer: Layer, from_input: Tensor, from_state: Tensor, previous: Step) -> Step:
    input_reset, input_update, input_candidate = from_input.chunk(3, dim=1)
    state_reset, state_update, state_candidate = from_state.chunk(3, dim=1)
    reset_gate, update_gate = (input_reset + state_reset).sigmoid(), (input_update + state_update).sigmoid()
    candidate = (input_candidate + reset_gate * state_candidate).tanh()
    hidden = torch.lerp(candidate, previous["hidden"], update_gate)
    return {"hidden": hidden, "reset": reset_gate, "update": update_gate}


def _lstm_step(layer: Layer, from_input: Tensor, from_state: Tensor, previous: Step) -> Step:
    input_gate, forget_gate, candidate, output_gate = (from_input + from_state).chunk(4, dim=1)
    input_gate, forget_gate, output_gate = input_gate.sigmoid(), forget_gate.sigmoid(), output_gate.sigmoid()
    memory = forget_gate * previous["memory"] + input_gate * candidate.tanh()
    gates = {"input": input_gate, "forget": forget_gate, "output": output_gate}
    return {"hidden": output_gate * memory.tanh(), "memory": memory, **gates}


STEPS: dict[type[Layer], Callable[[Layer, Tensor, Tensor, Step], Step]] = {
    nn.RNN: _rnn_step,
    nn.GRU: _gru_step,
    nn.LSTM: _lstm_step,
}


@torch.inference_mode()
def layer_states(network: Recurrent, tokens: Tensor) -> list[Tensor]:
    """For each layer the units that carry the past (B, T, hidden): an LSTM's memory, else the hidden state."""
    found, values = [], network.embed(tokens)
    for layer in network.recurrent:
        steps = [(step["hidden"], step.get("memory", step["hidden"])) for step in unroll(layer, values)]
        hidden, memory = (torch.stack(part, dim=1) for part in zip(*steps, strict=True))
        found.append(memory)
        values = hidden
    return found


@torch.inference_mode()
def mean_gates(network: Recurrent, tokens: Tensor) -> dict[str, Tensor]:
    """Gates of the last layer (B, T), each the mean over the units; empty for an Elman RNN, which has none."""
    values = network.embed(tokens)
    for layer in network.recurrent:
        steps = list(unroll(layer, values))
        values = torch.stack([step["hidden"] for step in steps], dim=1)
    return {gate: torch.stack([step[gate].mean(1) for step in steps], dim=1) for gate in GATES if gate in steps[0]}
