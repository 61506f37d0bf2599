"""Dropout for recurrent networks: of features, of whole words, of recurrent matrices."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Dropout(nn.Module):
    """Dropout of (B, T, features); `locked` drops the same features at all T steps (Gal and Ghahramani 2016)."""

    def __init__(self, rate: float, *, locked: bool) -> None:
        super().__init__()
        self.rate, self.locked = rate, locked

    def forward(self, values: Tensor) -> Tensor:
        if not self.locked:
            return F.dropout(values, self.rate, self.training)
        if not (self.training and self.rate):
            return values
        return values * F.dropout(values.new_ones(len(values), 1, values.shape[2]), self.rate)


class DroppedEmbedding(nn.Embedding):
    """An embedding whose dropped words are zero everywhere in a window (Gal and Ghahramani 2016)."""

    def __init__(self, count: int, size: int, *, rate: float) -> None:
        super().__init__(count, size)
        self.rate = rate

    def forward(self, tokens: Tensor) -> Tensor:
        found = super().forward(tokens)
        if not (self.training and self.rate):
            return found
        return found * F.dropout(found.new_ones(self.num_embeddings, 1), self.rate)[tokens]


def forward_with_dropped_weights(layer: Any, values: Tensor, state: Any, rate: float) -> tuple[Tensor, Any]:
    """Outputs and state of a layer with dropout of its recurrent matrix (DropConnect, Merity et al. 2018).

    The same weights are dropped at all steps, so that torch's fused loop over the steps can be used.
    """
    dropped = {"weight_hh_l0": F.dropout(layer.weight_hh_l0, rate)}
    return torch.func.functional_call(layer, dropped, (values, state))
