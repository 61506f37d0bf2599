"""All attacks of a run on one batch of images, at every eps: which images each attack leaves standing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter

import torch
from torch import Tensor, nn

from cvnlp.params.attacks import Norm, RandomOptions, SquareOptions, VisionAttack
from cvnlp.params.base import Strict
from cvnlp.vision.attacks.checks import check_attacked
from cvnlp.vision.attacks.evaluations import CountingNetwork, evaluate, is_correct
from cvnlp.vision.attacks.losses import log_odds
from cvnlp.vision.attacks.table import ATTACKS
from cvnlp.vision.models.ball import Ball

USEFUL = 0.9  # share of images with a gradient, up to which Square takes at least so many queries:
BLACK_BOX_QUERIES = 2000


@dataclass(frozen=True)
class Cost:
    """Images classified, gradients of images computed, and seconds."""

    forwards: int = 0
    gradients: int = 0
    seconds: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        seconds = self.seconds + other.seconds
        return Cost(self.forwards + other.forwards, self.gradients + other.gradients, seconds)


@dataclass
class Outcome:
    """Of a batch at one eps: which images stand, bool (B,), after each attack (`standing`) and after all (`worst`).

    An attack that is made on all images has its own result in `standing`; each other one, that after it and all before
    it. `attacked` (B, C, H, W): for broken images a perturbed one that is misclassified, for others the last one tried;
    for clean mistakes the image itself. `costs`: those of each attack.
    """

    eps: float
    worst: Tensor
    attacked: Tensor
    standing: dict[str, Tensor] = field(default_factory=dict)
    costs: dict[str, Cost] = field(default_factory=dict)

    def update(self, rows: Tensor, made: Tensor, broken: Tensor) -> None:
        """Enter the images `made` of those `rows` that stood, and which of them are broken."""
        stood = self.worst[rows]
        self.attacked[rows[stood]] = made[stood]
        self.worst[rows[broken]] = False


def choose_attacks(options: VisionAttack, *, with_gradient: float) -> dict[str, Strict]:
    """The attacks of a run and their options, in order. `with_gradient`: the share of images that have a gradient.

    Where there is none, attacks that need one are left out. Where many images have none, Square takes more queries,
    since it alone can break them.
    """
    chosen = {name: block for name, block in options.table if block is not None}
    if with_gradient > USEFUL:
        return chosen
    given = options.table.square or SquareOptions(queries=BLACK_BOX_QUERIES)
    square = given.model_copy(update={"queries": max(given.queries, BLACK_BOX_QUERIES)})
    kept = {name: block for name, block in chosen.items() if with_gradient or not ATTACKS[name].gradient}
    return {"random": RandomOptions()} | kept | {"square": square}


def share_with_gradient(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The share of the images at which the log-odds have a gradient with respect to the pixels."""
    found = evaluate(network, images, lambda outputs: log_odds(outputs, labels))
    return float(found.gradient.flatten(1).any(1).float().mean())


def attack_batch(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    attacks: Mapping[str, Strict],
    *,
    correct: Tensor,
    norm: Norm,
    strengths: Sequence[float],
    generator: torch.Generator,
) -> list[Outcome]:
    """The outcome at each of the `strengths`, which ascend. `correct` bool (B,): images that are classified correctly.

    First come the attacks that are made on all images: an image that they break at one eps is broken at all larger
    ones. The others follow from the largest eps to the smallest, on images that no attack has broken; one that none
    has broken at a larger eps is not attacked again at a smaller one, whose ball is a part of the larger ball.
    """

    def attack(name: str, rows: Tensor, eps: float) -> tuple[Tensor, Tensor, Cost]:
        made, cost = _make(network, name, images[rows], labels[rows], Ball(norm, eps), attacks[name], generator)
        return made, ~is_correct(network, made, labels[rows]), cost

    outcomes, before = [], Outcome(0.0, correct, images)
    for eps in strengths:
        before = Outcome(eps, before.worst.clone(), before.attacked.clone())
        outcomes.append(before)
        for name in (name for name in attacks if ATTACKS[name].alone):
            rows = correct.nonzero()[:, 0]
            made, broken, before.costs[name] = attack(name, rows, eps)
            before.standing[name] = correct.index_fill(0, rows[broken], False)
            before.update(rows, made, broken)
    stands_at_larger = torch.zeros_like(correct)
    for outcome in reversed(outcomes):
        for name in (name for name in attacks if not ATTACKS[name].alone):
            rows = (outcome.worst & ~stands_at_larger).nonzero()[:, 0]
            made, broken, outcome.costs[name] = attack(name, rows, outcome.eps)
            outcome.update(rows, made, broken)
            outcome.standing[name] = outcome.worst.clone()
        stands_at_larger = outcome.worst
    return outcomes


def _make(
    network: nn.Module,
    name: str,
    images: Tensor,
    labels: Tensor,
    ball: Ball,
    options: Strict,
    generator: torch.Generator,
) -> tuple[Tensor, Cost]:
    """The images after one attack, checked, and what it has cost."""
    if not len(images):
        return images, Cost()
    counted, started = CountingNetwork(network), perf_counter()
    made = ATTACKS[name].function(counted, images, labels, ball, options, generator=generator)
    cost = Cost(counted.forwards, counted.gradients, perf_counter() - started)
    check_attacked(images, made, ball)
    return made, cost
