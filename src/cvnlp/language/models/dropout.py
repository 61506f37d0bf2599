"""Dropout for recurrent networks: of features, of whole words, of recurrent matrices."""

from typing import Any

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


def drop_weights(layer: Any, rate: float) -> dict[str, Tensor]:
    """The recurrent matrix of a layer with dropout (DropConnect, Merity et al. 2018), by its name.

    The same weights are dropped at all steps, so that torch's fused loop over the steps can be used.
    """
    return {"weight_hh_l0": F.dropout(layer.weight_hh_l0, rate)}
