"""The gradient of the mean over a batch whose slices are computed by several processes or one after the other."""

from collections.abc import Iterable

import torch
from pytorch_lightning.strategies import Strategy
from torch import Tensor

from cvnlp.launch.slices import BatchSlices


class BatchMean:
    """Slices may differ in size, so the mean of their means is not that of the batch.

    The loss of a slice is its sum. Lightning averages the gradients over processes and parts; before a step of the
    optimiser, `divide` turns that average into the gradient of the mean.
    """

    def __init__(self) -> None:
        self._weight: Tensor | None = None  # of this process's slices of the current batch

    def loss(self, mean: Tensor, weight: int | Tensor, slices: BatchSlices) -> Tensor:
        """The loss of a slice, from its mean over examples of this total weight; `mean` for a whole batch."""
        if slices.total == 1:
            return mean
        added = torch.as_tensor(weight, dtype=torch.float32, device=mean.device).detach()
        self._weight = added if self._weight is None else self._weight + added
        return mean * added

    def divide(self, gradients: Iterable[Tensor | None], slices: BatchSlices, strategy: Strategy) -> None:
        if self._weight is None:
            return
        weight = strategy.reduce(self._weight, reduce_op="sum")
        torch._foreach_mul_([gradient for gradient in gradients if gradient is not None], slices.total / weight)
        self._weight = None
