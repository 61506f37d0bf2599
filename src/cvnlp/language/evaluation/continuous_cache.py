"""The continuous cache: recent tokens become more likely where the state is similar (Grave et al. 2017)."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cvnlp.data import prepared
from cvnlp.language.batches import Windows
from cvnlp.language.models import Recurrent
from cvnlp.language.models.output import cross_entropy
from cvnlp.launch.devices import device
from cvnlp.params.evaluation import Cache

WINDOW = 512  # tokens scored at a time; the result does not depend on it


@dataclass(frozen=True)
class CacheSettings:
    """One value for each key of `evaluate.cache`."""

    size: int
    sharpness: float
    share: float


def cache_grid(options: Cache) -> list[CacheSettings]:
    """All combinations of the listed values."""
    return [
        CacheSettings(options.size, sharpness, share)
        for sharpness, share in itertools.product(options.sharpness, options.share)
    ]


@torch.inference_mode()
def cache_nats(
    network: Recurrent, data: Path, split: str, start: int, grid: Sequence[CacheSettings], *, window: int = WINDOW
) -> np.ndarray:
    """Nats float32 (settings, N) of the tokens of a split by (1 - share) * p of the network + share * p of the cache.

    The cache holds the last `size` outputs h of the last layer, each with the token that followed; its p of a token is
    the sum over the places that this token followed of softmax(sharpness * h . current output).
    """
    size, state, parts = grid[0].size, None, []
    sharpnesses = sorted({one.sharpness for one in grid})
    held = followed = None
    for inputs, targets, _ in Windows(prepared.load_array(data, split), start, columns=1, window=window):
        outputs, state = network.hidden(inputs.to(device()), state)
        targets = targets.to(device())
        static = cross_entropy(network.logits(outputs), targets)[0]
        held = outputs[0].float() if held is None else torch.cat([held[-size:], outputs[0].float()])
        followed = targets[0] if followed is None else torch.cat([followed[-size:], targets[0]])
        cached = _cache_probabilities(held, followed, len(static), size, sharpnesses)
        parts.append(torch.stack([_mixed_nats(static, cached[one.sharpness], one.share) for one in grid]).cpu())
    return torch.cat(parts, dim=1).numpy()


def _cache_probabilities(
    held: Tensor, followed: Tensor, count: int, size: int, sharpnesses: list[float]
) -> dict[float, Tensor]:
    """By sharpness the cache's probabilities of the last `count` tokens (count,); NaN where the cache is empty."""
    current = torch.arange(len(held) - count, len(held), device=held.device)[:, None]
    back = current - torch.arange(len(held), device=held.device)
    outside, same = (back < 1) | (back > size), followed[-count:, None] == followed
    similarity = held[-count:] @ held.T
    return {
        sharpness: ((sharpness * similarity).masked_fill(outside, -torch.inf).softmax(1) * same).sum(1)
        for sharpness in sharpnesses
    }


def _mixed_nats(static: Tensor, cached: Tensor, share: float) -> Tensor:
    """Nats of the mixture; those of the network where the cache is empty."""
    both = torch.logaddexp(math.log1p(-share) - static, (share * cached).log())
    return torch.where(cached.isnan(), static, -both)
