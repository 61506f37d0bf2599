"""Flags of an untrustworthy evaluation: signs that the attacks were too weak, after the checks of AutoAttack.

Croce and Hein 2020. A flag is a score of 1.0 if it is raised, else 0.0. One that does not apply is left out.
"""

import itertools
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

TOLERANCE = 1e-4  # nats, and relative: rounding differs between batches
GRADIENT, BASELINE, WORST_CASE = "hotflip", "random", "worst_case"

Losses = Mapping[float, Mapping[str, Tensor]]  # share -> method -> mean nats of each excerpt (N,)


def raised_flags(losses: Losses, evaluations: Sequence[Tensor]) -> dict[str, float]:
    """All flags that apply. `evaluations`: the nats (N, T) of the same clean excerpts, computed more than once.

    `flag_worst_below_random`: at some share HotFlip raises the loss less than the random baseline, so that its
    gradients do not help. `flag_larger_share_weaker`: a larger share of changed tokens raises the worst-case loss less
    than a smaller one. `flag_randomised_output`: the network answers differently to the same text.
    """
    flags = {
        "flag_larger_share_weaker": _larger_share_is_weaker(losses),
        "flag_randomised_output": _differ(evaluations),
    }
    if all(GRADIENT in methods for methods in losses.values()):
        flags["flag_worst_below_random"] = _gradient_is_below_baseline(losses)
    return {name: float(raised) for name, raised in flags.items()}


def _gradient_is_below_baseline(losses: Losses) -> bool:
    return any(_exceeds(methods[BASELINE], methods[GRADIENT]) for methods in losses.values())


def _larger_share_is_weaker(losses: Losses) -> bool:
    worst = [losses[share][WORST_CASE] for share in sorted(losses)]
    return any(_exceeds(smaller, larger) for smaller, larger in itertools.pairwise(worst))


def _exceeds(one: Tensor, other: Tensor) -> bool:
    """Whether the mean of one is above the other's by more than rounding."""
    first, second = float(one.double().mean()), float(other.double().mean())
    return first > second + TOLERANCE * max(1.0, abs(second))


def _differ(evaluations: Sequence[Tensor]) -> bool:
    first = evaluations[0]
    return not all(torch.allclose(first, other, rtol=TOLERANCE, atol=TOLERANCE) for other in evaluations[1:])
