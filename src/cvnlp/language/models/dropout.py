"""Dropout in a network that reads in time: where, and whether a mask holds for a whole window."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Dropout(nn.Module):
    """Of (B, T, features) the share `share`; `locked`: the same features at all T steps (Gal and Ghahramani 2016)."""

    def __init__(self, share: float, *, locked: bool) -> None:
        super().__init__()
        self.share, self.locked = share, locked

    def forward(self, values: Tensor) -> Tensor:
        if not self.locked:
            return F.dropout(values, self.share, self.training)
        if not (self.training and self.share):
            return values
        return values * F.dropout(values.new_ones(len(values), 1, values.shape[2]), self.share)


class DroppedEmbedding(nn.Embedding):
    """`share` of the words read as zeros wherever they stand in a window (Gal and Ghahramani 2016)."""

    def __init__(self, count: int, size: int, *, share: float) -> None:
        super().__init__(count, size)
        self.share = share

    def forward(self, tokens: Tensor) -> Tensor:
        found = super().forward(tokens)
        if not (self.training and self.share):
            return found
        return found * F.dropout(found.new_ones(self.num_embeddings, 1), self.share)[tokens]


def read_dropped(layer: Any, values: Tensor, state: Any, share: float) -> tuple[Tensor, Any]:
    """What one layer reads with `share` of its recurrent matrix at 0 for all steps (DropConnect, Merity et al. 2018).

    The matrix is dropped once, so that the library's own loop over the steps still runs.
    """
    dropped = {"weight_hh_l0": F.dropout(layer.weight_hh_l0, share)}
    return torch.func.functional_call(layer, dropped, (values, state))
