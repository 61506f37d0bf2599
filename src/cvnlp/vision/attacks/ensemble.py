"""All attacks of a run on one batch of images, at every eps: which images each attack leaves standing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter

import torch
from torch import Tensor, nn

from cvnlp.params.attacks import AttackTable, Norm, RandomOptions, SquareOptions, VisionAttack
from cvnlp.params.base import Strict
from cvnlp.vision.attacks.checks import check_attacked
from cvnlp.vision.attacks.evaluations import CountingNetwork, evaluate, is_correct
from cvnlp.vision.attacks.losses import log_odds
from cvnlp.vision.attacks.table import ATTACKS
from cvnlp.vision.ball import Ball

WITHOUT_GRADIENT = AttackTable(random=RandomOptions(), square=SquareOptions(queries=500))


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
    """Of a batch at one eps: the images that stand after each attack, (B,) bool, and the cost of each attack.

    An attack that is made on all images has its own result here; each other one, that after it and all before it.
    `worst`: images that no attack has broken, at this eps or a smaller one; `attacked` (B, C, H, W): for the others the
    perturbed image that is misclassified, for these the last one tried; for clean mistakes the image itself.
    """

    eps: float
    standing: dict[str, Tensor] = field(default_factory=dict)
    costs: dict[str, Cost] = field(default_factory=dict)
    attacked: Tensor = field(default_factory=lambda: torch.empty(0))
    worst: Tensor = field(default_factory=lambda: torch.empty(0))


def choose_attacks(options: VisionAttack, *, gradients: bool) -> dict[str, Strict]:
    """The attacks of a run and their options, in order; those without gradients for a network that has none."""
    chosen = {name: block for name, block in options.table if block is not None}
    if gradients:
        return chosen
    black_box = {name: block for name, block in chosen.items() if not ATTACKS[name].gradient}
    return {name: black_box.get(name, block) for name, block in WITHOUT_GRADIENT if block is not None} | (
        black_box if options.autoattack else {}
    )


def has_gradients(network: nn.Module, images: Tensor, labels: Tensor) -> bool:
    """Whether the log-odds of any image have a gradient with respect to its pixels."""
    found = evaluate(network, images, lambda outputs: log_odds(outputs, labels))
    return bool(found.gradient.any())


def attack_batch(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    attacks: Mapping[str, Strict],
    *,
    norm: Norm,
    strengths: Sequence[float],
    generator: torch.Generator,
) -> Iterator[Outcome]:
    """The outcome at each of the `strengths`, in ascending order."""
    correct = is_correct(network, images, labels)
    attacked, worst = images.clone(), correct.clone()
    for eps in strengths:
        outcome = Outcome(eps)
        for name, options in attacks.items():
            alone = ATTACKS[name].alone
            rows = (correct if alone else worst).nonzero()[:, 0]
            made, cost = _make(network, name, images[rows], labels[rows], Ball(norm, eps), options, generator)
            broken = ~is_correct(network, made, labels[rows])
            new = rows[broken & worst[rows]]
            attacked[rows[worst[rows]]] = made[worst[rows]]
            worst[new] = False
            standing = correct.clone()
            standing[rows[broken]] = False
            outcome.standing[name], outcome.costs[name] = (standing if alone else worst.clone()), cost
        outcome.attacked, outcome.worst = attacked.clone(), worst.clone()
        yield outcome


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
