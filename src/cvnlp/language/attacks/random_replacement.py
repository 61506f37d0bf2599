"""Random replacement of tokens: the baseline of all attacks on text."""

from collections.abc import Sequence

import torch
from torch import Tensor

from cvnlp.language.attacks.checks import token_budget
from cvnlp.language.models import Network


def random_replacement(
    network: Network,
    inputs: Tensor,
    targets: Tensor,
    *,
    share: float,
    generator: torch.Generator,
    vocabulary: Sequence[str],
) -> Tensor:
    """Replace a share of the tokens of each text (B, T), at random places, with other random tokens."""
    count, length = inputs.shape
    places = torch.rand(count, length, generator=generator).argsort(1)[:, : token_budget(share, length)]
    places = places.to(inputs.device)
    old, uniform = inputs.gather(1, places), torch.rand(places.shape, generator=generator).to(inputs.device)
    known = old > 0
    # one of 1 .. V-1, never the unknown token 0, and without the old token where that is among them
    drawn = 1 + (uniform * (network.vocabulary_size - 1 - known.long())).long()
    return inputs.scatter(1, places, drawn + (known & (drawn >= old)))
