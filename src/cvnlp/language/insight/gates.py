"""What goes on inside a recurrent layer, step by step: torch's fused layers show only what comes out."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvnlp.language.models import Recurrent

Layer = Any  # an nn.RNN, nn.GRU or nn.LSTM of one layer
Parts = dict[str, Tensor]  # the state `hidden`, the LSTM's `memory`, and the gates of a kind of cell, each (B, hidden)
GATES = ("input", "forget", "output", "reset", "update")  # between 0, closed, and 1, open


def unroll(layer: Layer, values: Tensor) -> Iterator[Parts]:
    """One layer that reads (B, T, size) from the state of zeros: its parts after every step."""
    step = STEPS[type(layer)]
    hidden = values.new_zeros(len(values), layer.hidden_size)
    parts: Parts = {"hidden": hidden, "memory": hidden}
    for given in F.linear(values, layer.weight_ih_l0, layer.bias_ih_l0).unbind(1):
        parts = step(layer, given, F.linear(parts["hidden"], layer.weight_hh_l0, layer.bias_hh_l0), parts)
        yield parts


def _step_rnn(layer: Layer, given: Tensor, recurrent: Tensor, before: Parts) -> Parts:
    return {"hidden": (torch.tanh if layer.nonlinearity == "tanh" else torch.relu)(given + recurrent)}


def _step_gru(layer: Layer, given: Tensor, recurrent: Tensor, before: Parts) -> Parts:
    reset, update, candidate = given.chunk(3, dim=1)
    recurrent_reset, recurrent_update, recurrent_candidate = recurrent.chunk(3, dim=1)
    reset, update = (reset + recurrent_reset).sigmoid(), (update + recurrent_update).sigmoid()
    hidden = torch.lerp((candidate + reset * recurrent_candidate).tanh(), before["hidden"], update)
    return {"hidden": hidden, "reset": reset, "update": update}


def _step_lstm(layer: Layer, given: Tensor, recurrent: Tensor, before: Parts) -> Parts:
    enter, forget, candidate, leave = (given + recurrent).chunk(4, dim=1)
    enter, forget, leave = enter.sigmoid(), forget.sigmoid(), leave.sigmoid()
    memory = forget * before["memory"] + enter * candidate.tanh()
    return {"hidden": leave * memory.tanh(), "memory": memory, "input": enter, "forget": forget, "output": leave}


STEPS: dict[type[Layer], Callable[[Layer, Tensor, Tensor, Parts], Parts]] = {
    nn.RNN: _step_rnn,
    nn.GRU: _step_gru,
    nn.LSTM: _step_lstm,
}


@torch.inference_mode()
def read_states(network: Recurrent, tokens: Tensor) -> list[Tensor]:
    """Of every layer the units that carry the past (B, T, hidden): the LSTM's memory, the others' state."""
    found, values = [], network.embed(tokens)
    for layer in network.recurrent:
        steps = [(parts["hidden"], parts.get("memory", parts["hidden"])) for parts in unroll(layer, values)]
        hidden, memory = (torch.stack(part, dim=1) for part in zip(*steps, strict=True))
        found.append(memory)
        values = hidden
    return found


@torch.inference_mode()
def mean_gates(network: Recurrent, tokens: Tensor) -> dict[str, Tensor]:
    """How far the gates of the last layer are open (B, T), each the mean over the units; none in a plain network."""
    values = network.embed(tokens)
    for layer in network.recurrent:
        steps = list(unroll(layer, values))
        values = torch.stack([parts["hidden"] for parts in steps], dim=1)
    return {gate: torch.stack([parts[gate].mean(1) for parts in steps], dim=1) for gate in GATES if gate in steps[0]}
