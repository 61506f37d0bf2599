"""The interface of all attacks."""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from cvnlp.vision.models.ball import Ball


class Attack(Protocol):
    def __call__(
        self,
        network: nn.Module,
        images: Tensor,
        labels: Tensor,
        ball: Ball,
        options: Any,
        *,
        generator: torch.Generator,
    ) -> Tensor:
        """Perturb images float (B, C, H, W) in [0, 1] so that `network` misclassifies them; `labels` are int64 (B,).

        The result has the shape of the images, and stays in [0, 1] and in the `ball` around each. `options`: the
        attack's own block of params.yaml. Random attacks draw from `generator`. The network's weights and gradients
        stay as they are. An image that is already misclassified is returned as it is; one that the attack cannot break,
        as the attack has perturbed it.
        """
        ...


@dataclass(frozen=True)
class AttackEntry:
    """`gradient`: needs the network's gradient; `alone`: is made on all images, also on those already broken."""

    function: Attack
    gradient: bool = True
    alone: bool = False
