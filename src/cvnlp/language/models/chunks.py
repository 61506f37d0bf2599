"""The cross entropy of a linear layer, computed for a few rows at a time, so that all logits are never in memory.

The gradient by the logits is softmax - one-hot. It is computed together with the logits, while they are in the cache,
so that they need be neither kept nor recomputed.
"""

import math
from typing import Any

import torch
from torch import Tensor

MIN_PROBABILITY = 1e-30  # of full float32 precision


def chunked_nats(
    rows: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, *, dtype: torch.dtype, max_rows: int
) -> Tensor:
    """The negative log-likelihoods (N,) of targets (N,) given features `rows` (N, size); 0 for targets below 0.

    The logits of at most `max_rows` are in memory at a time. Matrix products are computed in `dtype`, everything else
    in the dtype of the rows.
    """
    with torch.autocast(rows.device.type, enabled=False):
        if torch.is_grad_enabled():
            return _ChunkedNats.apply(rows, weight, bias, targets, dtype, max_rows)
        return _compute(rows, weight, bias, targets, dtype, max_rows)[0]


class _ChunkedNats(torch.autograd.Function):
    """Computes the gradients of the sum of the nats in `forward`; other gradients are computed in `backward`."""

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, dtype: torch.dtype, max_rows: int
    ) -> Tensor:
        ones = torch.ones_like(rows[:, 0])
        nats, *ctx.gradients = _compute(rows, weight, bias, targets, dtype, max_rows, importance=ones)
        ctx.save_for_backward(rows, weight, bias, targets)
        ctx.dtype, ctx.max_rows = dtype, max_rows
        return nats

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        gradients, ctx.gradients = ctx.gradients, None  # used in place; a second backward pass computes them again
        if gradients is not None and (upstream == upstream[0]).all():
            gradients = [gradient.mul_(upstream[0]) for gradient in gradients]
        else:
            rows, weight, bias, targets = ctx.saved_tensors
            _, *gradients = _compute(rows, weight, bias, targets, ctx.dtype, ctx.max_rows, importance=upstream)
        return (*gradients, None, None, None)


def _compute(
    rows: Tensor,
    weight: Tensor,
    bias: Tensor,
    targets: Tensor,
    dtype: torch.dtype,
    max_rows: int,
    *,
    importance: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """Nats (N,); given weights `importance` (N,), also the gradients of the weighted sum by rows, weight and bias."""
    factors = weight.to(dtype)
    nats = torch.empty_like(rows[:, 0])
    gradients = [] if importance is None else [torch.zeros_like(of) for of in (rows, weight, bias)]
    for start in range(0, len(rows), size := _chunk_size(len(rows), max_rows)):
        part = slice(start, start + size)
        chunk = _Chunk(rows[part], targets[part], factors, bias)
        nats[part] = chunk.nats
        if importance is not None:
            gradients[0][part] = chunk.add_gradients(gradients[1], gradients[2], importance[part])
    return nats, *gradients


def _chunk_size(count: int, most: int) -> int:
    """The size of chunks, at most `most`, that divide `count` into as few and as even chunks as possible."""
    return math.ceil(count / math.ceil(count / most))


class _Chunk:
    """Rows whose probabilities are in memory, until their gradients replace them."""

    def __init__(self, rows: Tensor, targets: Tensor, factors: Tensor, bias: Tensor) -> None:
        self.rows, self.factors = rows, factors
        self.counted, self.tokens = targets >= 0, targets.clamp(min=0)[:, None]
        # a product, then a sum: torch's addmm would first copy the bias into every row
        logits = torch.mm(rows.to(factors.dtype), factors.T).to(rows.dtype).add_(bias)
        self.probabilities = logits.softmax(1)
        own = self.probabilities.gather(1, self.tokens)
        # one pass over the logits fewer than log_softmax, which is needed where probabilities underflow
        logarithms = own.log() if own.amin() > MIN_PROBABILITY else logits.log_softmax(1).gather(1, self.tokens)
        self.nats = -logarithms[:, 0] * self.counted

    def add_gradients(self, of_weight: Tensor, of_bias: Tensor, importance: Tensor) -> Tensor:
        """Add the gradients by weight and bias to the arguments; returns the gradient by the rows. Call it once.

        The gradient by a logit is its probability, minus 1 at the target, times the row's importance.
        """
        importance = (importance * self.counted)[:, None]
        errors = self.probabilities.scatter_add_(1, self.tokens, torch.full_like(importance, -1.0))
        of_bias.addmv_(errors.T, importance[:, 0])
        errors = errors.to(self.factors.dtype)
        _add_product(of_weight, errors.T, (self.rows * importance).to(errors.dtype))
        return (errors @ self.factors) * importance


def _add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    """Add left @ right to `total`; without a temporary product if all have the same dtype."""
    if left.dtype == total.dtype:
        total.addmm_(left, right)
    else:
        total += left @ right
