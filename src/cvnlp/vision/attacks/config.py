"""The interface of all attacks: how strong they are, and what they take and return."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class AttackConfig:
    """`eps`: largest change of a pixel (L-infinity norm, pixels in [0, 1]); `steps` of an iterative attack."""

    eps: float
    steps: int = 20


class Attack(Protocol):
    def __call__(
        self,
        network: nn.Module,
        images: Tensor,
        labels: Tensor,
        config: AttackConfig,
        *,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Perturb images float (B, C, H, W) in [0, 1] so that `network` misclassifies them; `labels` are int64 (B,).

        The result has the shape of the images, stays in [0, 1], and differs from them by at most eps in each pixel.
        Random attacks draw from `generator`. The network's weights and gradients stay as they are.
        """
        ...
