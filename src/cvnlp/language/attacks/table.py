"""The attacks on language models, by the names that scores and the report use."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from cvnlp.language.attacks.hotflip import hotflip
from cvnlp.language.attacks.random_replacement import random_replacement
from cvnlp.language.attacks.swaps import swap_neighbours, typos
from cvnlp.language.models import Network


class AttackFunction(Protocol):
    """Changes a share of the input tokens (B, T), int64, and returns them; the targets (B, T) stay as they are."""

    def __call__(
        self,
        network: Network,
        inputs: Tensor,
        targets: Tensor,
        *,
        share: float,
        generator: torch.Generator,
        vocabulary: Sequence[str],
    ) -> Tensor: ...


@dataclass(frozen=True)
class Attack:
    """`exact`: changes exactly the share, instead of at most; `needs_embedding`: is made on recurrent networks only."""

    function: AttackFunction
    exact: bool
    needs_embedding: bool = False


ATTACKS = {
    "random": Attack(random_replacement, exact=True),
    "swap": Attack(swap_neighbours, exact=False),
    "typo": Attack(typos, exact=False),
    "hotflip": Attack(hotflip, exact=True, needs_embedding=True),
}
