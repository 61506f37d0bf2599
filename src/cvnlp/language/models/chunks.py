"""The cross entropy of a linear layer without all of its logits: some rows after the other, gradients at once.

Its gradient by the logits is softmax - one-hot, known as soon as the logits are: made while they are in the cache, it
spares keeping them, or making them again.
"""

from typing import Any

import torch
from torch import Tensor

AT_ONCE = 2**22  # logits in memory together


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
        nats, *gradients = _read(rows, weight, bias, targets, dtype, torch.ones_like(rows[:, 0]))
        ctx.save_for_backward(rows, weight, bias, targets, *gradients)
        ctx.dtype = dtype
        return nats

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        rows, weight, bias, targets, *gradients = ctx.saved_tensors
        if (upstream == upstream[0]).all():
            gradients = [gradient * upstream[0] for gradient in gradients]
        else:
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
    factors, offsets = weight.to(dtype), bias.to(dtype)
    nats = torch.empty_like(rows[:, 0])
    gradients = [] if importance is None else [torch.zeros_like(of) for of in (rows, weight, bias)]
    for start in range(0, len(rows), size := max(1, AT_ONCE // len(weight))):
        part = slice(start, start + size)
        chunk = _Chunk(rows[part], targets[part], factors, offsets)
        nats[part] = chunk.nats
        if importance is not None:
            gradients[0][part] = chunk.add_gradients(gradients[1], gradients[2], importance[part])
    return nats, *gradients


class _Chunk:
    """Rows whose logits are in memory; exponentials, relative to each row's largest logit, stand in their place."""

    def __init__(self, rows: Tensor, targets: Tensor, factors: Tensor, offsets: Tensor) -> None:
        self.rows, self.factors = rows, factors
        self.counted, self.tokens = targets >= 0, targets.clamp(min=0)
        logits = torch.addmm(offsets, rows.to(factors.dtype), factors.T).to(rows.dtype)
        highest = logits.amax(1)
        own = logits.gather(1, self.tokens[:, None])[:, 0] - highest
        self.powers = logits.sub_(highest[:, None]).exp_()
        self.sums = self.powers.sum(1)
        self.nats = (self.sums.log() - own) * self.counted

    def add_gradients(self, of_weight: Tensor, of_bias: Tensor, importance: Tensor) -> Tensor:
        """Add those by weight and bias; returns that by the rows.

        That by a logit is its probability, powers / sums, less 1 at the target: the second is added apart.
        """
        importance = importance * self.counted
        shares, dtype = importance / self.sums, self.factors.dtype
        of_bias += shares @ self.powers
        of_bias.index_add_(0, self.tokens, -importance)
        powers = self.powers.to(dtype)
        of_weight += powers.T @ (self.rows * shares[:, None]).to(dtype)
        of_weight.index_add_(0, self.tokens, self.rows * -importance[:, None])
        return (powers @ self.factors) * shares[:, None] - self.factors[self.tokens] * importance[:, None]
