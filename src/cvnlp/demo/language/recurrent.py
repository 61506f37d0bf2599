"""A recurrent language model for the demo page: its weights, and how they belong together."""

import itertools
from typing import Any

import numpy as np
from torch import Tensor, nn

from cvnlp.demo.page_data import PageData
from cvnlp.language.models import Recurrent
from cvnlp.language.models.output import Adaptive, Grouped

CELLS = {nn.RNN: "rnn", nn.GRU: "gru", nn.LSTM: "lstm"}


def convert_recurrent(network: Recurrent) -> PageData:
    """Embedding, layers and output layer of the network."""
    arrays = {"embedding": _array(network.embedding.weight)}
    layers = [_convert_layer(layer, number, arrays) for number, layer in enumerate(network.recurrent)]
    description = {
        "model": CELLS[type(network).cell],
        "embedding_scale": network.embedding_scale,
        "layers": layers,
        "output": _convert_output(network, arrays),
    }
    return PageData(description, arrays)


def _array(tensor: Tensor) -> np.ndarray:
    found: np.ndarray = tensor.detach().float().cpu().contiguous().numpy()
    return found


def _convert_layer(layer: Any, number: int, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Adds the arrays `layers.0.weight_ih` and so on."""
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        arrays[f"layers.{number}.{name}"] = _array(getattr(layer, f"{name}_l0"))
    return {"size": layer.hidden_size, "activation": getattr(layer, "nonlinearity", "tanh")}


def _convert_output(network: Recurrent, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """`parts`: rows of matrices, the first with the frequent tokens, then one for every group of rarer ones.

    `groups`: the logits of the groups, which are appended to those of the first part.
    """
    output, size = network.output, network.vocabulary_size
    if isinstance(output, Adaptive):
        return _convert_adaptive(output, arrays)
    tied = output.weight is network.embedding.weight
    arrays |= {"output.bias": _array(output.bias)} | ({} if tied else {"output.weight": _array(output.weight)})
    ends = [0, *(output.cutoffs if isinstance(output, Grouped) else []), size]
    weight = "embedding" if tied else "output.weight"
    parts = [{"weight": weight, "bias": "output.bias", "rows": [*pair]} for pair in itertools.pairwise(ends)]
    if not isinstance(output, Grouped):
        return {"parts": parts, "groups": None}
    arrays |= {"groups.weight": _array(output.groups.weight), "groups.bias": _array(output.groups.bias)}
    return {"parts": parts, "groups": {"weight": "groups.weight", "bias": "groups.bias", "rows": [0, len(ends) - 2]}}


def _convert_adaptive(output: Adaptive, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    layer: Any = output.groups
    known, total = layer.shortlist_size, layer.head.out_features
    arrays["head"] = _array(layer.head.weight)
    parts: list[dict[str, Any]] = [{"weight": "head", "bias": None, "rows": [0, known]}]
    for number, (projection, words) in enumerate(layer.tail):
        arrays |= {f"tail.{number}.projection": _array(projection.weight), f"tail.{number}.words": _array(words.weight)}
        own = {"weight": f"tail.{number}.words", "bias": None, "rows": [0, words.out_features]}
        parts.append(own | {"projection": f"tail.{number}.projection"})
    return {"parts": parts, "groups": {"weight": "head", "bias": None, "rows": [known, total]}}
