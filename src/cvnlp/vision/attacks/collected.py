"""The attacks of a run on all its images, batch by batch, and the attacked pictures on disk."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from cvnlp.data import prepared
from cvnlp.networks import device
from cvnlp.params.attacks import PgdOptions, SquareOptions, VisionAttack
from cvnlp.vision.attacks.ensemble import Cost, Outcome, attack_batch, choose_attacks
from cvnlp.vision.attacks.evaluations import is_correct
from cvnlp.vision.attacks.gradient import pgd
from cvnlp.vision.attacks.smallest import smallest_eps
from cvnlp.vision.attacks.square import square
from cvnlp.vision.batches import Batches
from cvnlp.vision.models.ball import Ball

PICTURES = "attacked"  # float32 (N, eps, H, W, C): images under the attack that broke them, or the last one made
WORST = "worst_case"
BISECTION_QUERIES = 100  # of Square, for networks without gradients


@dataclass(frozen=True)
class Subject:
    """A network and the images on which it is attacked; `gradients`: whether it has any."""

    network: nn.Module
    batches: Batches
    options: VisionAttack
    gradients: bool
    folder: Path

    @property
    def strengths(self) -> list[float]:
        return sorted(self.options.eps)

    @property
    def labels(self) -> np.ndarray:
        labels: np.ndarray = self.batches.labels[self.batches.order].astype(np.int64)
        return labels

    def first(self) -> tuple[Tensor, Tensor]:
        """The first batch, (B, C, H, W) and int64 (B,), on the device of the computation."""
        batch = next(iter(self.batches))
        return batch.images.to(device()), batch.labels.to(device())

    def pictures(self) -> np.ndarray:
        return prepared.load_array(self.folder, PICTURES)


@dataclass(frozen=True)
class Collected:
    """Results of all batches, in the order of the images.

    `standing`: (eps, attack) -> bool (N,), WORST among the attacks; `costs`: the same -> cost of all images;
    `smallest` float (N,): 0 for images that are misclassified without an attack, inf for those that no eps breaks.
    """

    standing: dict[tuple[float, str], np.ndarray]
    costs: dict[tuple[float, str], Cost]
    smallest: np.ndarray

    @property
    def worst(self) -> dict[float, np.ndarray]:
        return {eps: stands for (eps, name), stands in self.standing.items() if name == WORST}

    @property
    def clean(self) -> np.ndarray:
        """Bool (N,): images that are classified correctly without an attack."""
        correct: np.ndarray = self.smallest > 0
        return correct

    def seconds(self) -> dict[str, float]:
        """Attack -> its time over all eps."""
        names = dict.fromkeys(name for _, name in self.costs)
        return {name: sum(cost.seconds for (_, of), cost in self.costs.items() if of == name) for name in names}


def attack_all(subject: Subject) -> Collected:
    """Attack all batches; the attacked pictures are written as they are made."""
    generator, parts = torch.Generator().manual_seed(1), []
    attacks = choose_attacks(subject.options, gradients=subject.gradients)
    shape = (len(subject.strengths), *subject.batches.images.shape[1:])
    with prepared.open_array_writer(subject.folder, PICTURES, np.float32, shape) as append:
        for batch in subject.batches:
            images, labels = batch.images.to(device()), batch.labels.to(device())
            norm, strengths = subject.options.norm, subject.strengths
            outcomes = attack_batch(
                subject.network, images, labels, attacks, norm=norm, strengths=strengths, generator=generator
            )
            append(torch.stack([one.attacked for one in outcomes], 1).permute(0, 1, 3, 4, 2).cpu().numpy())
            parts.append((outcomes, _smallest(subject, images, labels, outcomes)))
            for one in outcomes:
                one.attacked = torch.empty(0)  # they are on disk
    return _collect(parts)


def count_differing(subject: Subject, found: Collected) -> int:
    """The number of stored pictures, over all eps, that are not classified as they were when they were scored."""
    stored, labels, size = subject.pictures(), torch.from_numpy(subject.labels), subject.batches.batch_size
    differing = 0
    for number, (_, stands) in enumerate(sorted(found.worst.items())):
        for start in range(0, len(labels), size):
            part = slice(start, start + size)
            pictures = torch.from_numpy(np.array(stored[part, number])).permute(0, 3, 1, 2).to(device())
            correct = is_correct(subject.network, pictures, labels[part].to(device()))
            differing += int((correct.cpu().numpy() != stands[part]).sum())
    return differing


def _smallest(subject: Subject, images: Tensor, labels: Tensor, outcomes: Sequence[Outcome]) -> Tensor:
    """The smallest eps (B,) that breaks each image, between the largest eps that does not and the next one."""
    low, attacked = torch.zeros(len(images), device=images.device), outcomes[-1].attacked.clone()
    for one in outcomes:
        low[one.worst] = one.eps
    for one in reversed(outcomes):
        attacked[~one.worst] = one.attacked[~one.worst]
    options = subject.options.attacks.pgd or PgdOptions()

    def again(network: nn.Module, images: Tensor, labels: Tensor, ball: Ball) -> Tensor:
        generator = torch.Generator().manual_seed(1)
        if subject.gradients:
            return pgd(network, images, labels, ball, options, generator=generator)
        return square(network, images, labels, ball, SquareOptions(queries=BISECTION_QUERIES), generator=generator)

    return smallest_eps(
        subject.network,
        images,
        labels,
        attacked,
        again,
        norm=subject.options.norm,
        halvings=subject.options.smallest,
        low=low,
    ).eps


def _collect(parts: Sequence[tuple[list[Outcome], Tensor]]) -> Collected:
    standing: dict[tuple[float, str], list[Tensor]] = {}
    costs: dict[tuple[float, str], Cost] = {}
    for outcomes, _ in parts:
        for one in outcomes:
            for name, stands in {**one.standing, WORST: one.worst}.items():
                standing.setdefault((one.eps, name), []).append(stands)
            for name, cost in one.costs.items():
                costs[one.eps, name] = costs.get((one.eps, name), Cost()) + cost
    masks = {key: torch.cat(masks).cpu().numpy() for key, masks in standing.items()}
    return Collected(masks, costs, torch.cat([smallest for _, smallest in parts]).double().cpu().numpy())
