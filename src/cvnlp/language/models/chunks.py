"""The cross entropy of a linear layer without all of its logits: some rows after the other, gradients at once.

Its gradient by the logits is softmax - one-hot, known as soon as the logits are: made while they are in the cache, it
spares keeping them, or making them again.
"""

import math
from typing import Any

import torch
from torch import Tensor

AT_ONCE = 2**22  # logits in memory together
LEAST = 1e-30  # probability, of those that have all their digits


def chunked_nats(rows: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, dtype: torch.dtype) -> Tensor:
    """The negative log-likelihoods (N,) of targets (N,) after rows (N, size), 0 of targets below 0.

    Products are of numbers of `dtype`; all else has that of the rows.
    """
    with torch.autocast(rows.device.type, enabled=False):
        if torch.is_grad_enabled():
            return _ChunkedNats.apply(rows, weight, bias, targets, dtype)
        return _read(rows, weight, bias, targets, dtype)[0]


class _ChunkedNats(torch.autograd.Function):
    """With the gradients of the sum, which training asks for; where some nats count more, they are made anew."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, dtype: torch.dtype) -> Tensor:
        nats, *ctx.gradients = _read(rows, weight, bias, targets, dtype, torch.ones_like(rows[:, 0]))
        ctx.save_for_backward(rows, weight, bias, targets)
        ctx.dtype = dtype
        return nats

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        gradients, ctx.gradients = ctx.gradients, None  # given away: a second time they are made anew
        if gradients is not None and (upstream == upstream[0]).all():
            gradients = [gradient.mul_(upstream[0]) for gradient in gradients]
        else:
            rows, weight, bias, targets = ctx.saved_tensors
            _, *gradients = _read(rows, weight, bias, targets, ctx.dtype, upstream)
        return (*gradients, None, None)


def _read(
    rows: Tensor,
    weight: Tensor,
    bias: Tensor,
    targets: Tensor,
    dtype: torch.dtype,
    importance: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """Nats (N,); with the `importance` (N,) of each, also the gradients of their weighted sum by rows, weight, bias."""
    factors = weight.to(dtype)
    nats = torch.empty_like(rows[:, 0])
    gradients = [] if importance is None else [torch.zeros_like(of) for of in (rows, weight, bias)]
    for start in range(0, len(rows), size := _even(len(rows), max(1, AT_ONCE // len(weight)))):
        part = slice(start, start + size)
        chunk = _Chunk(rows[part], targets[part], factors, bias)
        nats[part] = chunk.nats
        if importance is not None:
            gradients[0][part] = chunk.add_gradients(gradients[1], gradients[2], importance[part])
    return nats, *gradients


def _even(count: int, most: int) -> int:
    """The size, at most `most`, of parts of `count` that are as few and as even as can be."""
    return math.ceil(count / math.ceil(count / most))


class _Chunk:
    """Rows whose probabilities are in memory, until gradients are made in their place."""

    def __init__(self, rows: Tensor, targets: Tensor, factors: Tensor, bias: Tensor) -> None:
        self.rows, self.factors = rows, factors
        self.counted, self.tokens = targets >= 0, targets.clamp(min=0)[:, None]
        # a product, then a sum: torch's addmm would first write the bias into every row
        logits = torch.mm(rows.to(factors.dtype), factors.T).to(rows.dtype).add_(bias)
        self.found = logits.softmax(1)
        own = self.found.gather(1, self.tokens)
        # one pass over the logits less than log_softmax, which is asked where a probability has no digits left
        logarithms = own.log() if own.amin() > LEAST else logits.log_softmax(1).gather(1, self.tokens)
        self.nats = -logarithms[:, 0] * self.counted

    def add_gradients(self, of_weight: Tensor, of_bias: Tensor, importance: Tensor) -> Tensor:
        """Add those by weight and bias; returns that by the rows. To be called once.

        That by a logit is its probability, less 1 at the target, times the row's importance.
        """
        importance = (importance * self.counted)[:, None]
        errors = self.found.scatter_add_(1, self.tokens, torch.full_like(importance, -1.0))
        of_bias.addmv_(errors.T, importance[:, 0])
        errors = errors.to(self.factors.dtype)
        _add_product(of_weight, errors.T, (self.rows * importance).to(errors.dtype))
        return (errors @ self.factors) * importance


def _add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    """Add left @ right to `total`; they may have fewer bits. If not, the product needs no place of its own."""
    if left.dtype == total.dtype:
        total.addmm_(left, right)
    else:
        total += left @ right
