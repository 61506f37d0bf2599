"""The attacks of a run on all its images, batch by batch, and the attacked pictures on disk."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from cvnlp.data import prepared
from cvnlp.launch.devices import device
from cvnlp.params.attacks import PgdOptions, SmallestEps, SquareOptions, VisionAttack
from cvnlp.vision.attacks.ensemble import Cost, Outcome, attack_batch, choose_attacks
from cvnlp.vision.attacks.evaluations import is_correct
from cvnlp.vision.attacks.gradient import pgd
from cvnlp.vision.attacks.smallest import smallest_eps
from cvnlp.vision.attacks.square import square
from cvnlp.vision.batches import Batches, evenly_spaced
from cvnlp.vision.models.ball import Ball

PICTURES = "attacked"  # float32 (N, eps, H, W, C): images under the attack that broke them, or the last one made
WORST = "worst_case"
BISECTION_QUERIES = 100  # of Square, for networks without gradients


@dataclass(frozen=True)
class Subject:
    """A network and the images on which it is attacked; `with_gradient`: the share of images at which it has one."""

    network: nn.Module
    batches: Batches
    options: VisionAttack
    with_gradient: float
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

    `clean` bool (N,): images that are classified correctly without an attack. `standing`: (eps, attack) -> bool (N,),
    WORST among the attacks; `costs`: the same -> cost of all images. `smallest` float (n,): of some of the images the
    smallest eps; 0 for those misclassified without an attack, inf for those that no eps breaks.
    """

    clean: np.ndarray
    standing: dict[tuple[float, str], np.ndarray]
    costs: dict[tuple[float, str], Cost]
    smallest: np.ndarray

    @property
    def worst(self) -> dict[float, np.ndarray]:
        return {eps: stands for (eps, name), stands in self.standing.items() if name == WORST}

    def seconds(self) -> dict[str, float]:
        """Attack -> its time over all eps."""
        names = dict.fromkeys(name for _, name in self.costs)
        return {name: sum(cost.seconds for (_, of), cost in self.costs.items() if of == name) for name in names}


def attack_all(subject: Subject) -> Collected:
    """Attack all batches; the attacked pictures are written as they are made."""
    parts, generator = [], torch.Generator().manual_seed(1)
    shape = (len(subject.strengths), *subject.batches.images.shape[1:])
    with prepared.open_array_writer(subject.folder, PICTURES, np.float32, shape) as append:
        for batch in subject.batches:
            part = _attack(subject, batch.images.to(device()), batch.labels.to(device()), generator)
            pictures = torch.stack([one.attacked for one in part.outcomes], 1)
            append(pictures.permute(0, 1, 3, 4, 2).cpu().numpy())
            for one in part.outcomes:
                one.attacked = torch.empty(0)  # they are on disk
            parts.append(part)
    return _collect(parts)


class _Part(NamedTuple):
    """Results of one batch."""

    clean: Tensor
    outcomes: list[Outcome]
    smallest: Tensor


def _attack(subject: Subject, images: Tensor, labels: Tensor, generator: torch.Generator) -> _Part:
    correct, options = is_correct(subject.network, images, labels), subject.options
    outcomes = attack_batch(
        subject.network,
        images,
        labels,
        choose_attacks(options, with_gradient=subject.with_gradient),
        correct=correct,
        norm=options.norm,
        strengths=subject.strengths,
        generator=generator,
    )
    wanted = options.smallest
    smallest = _smallest(subject, images, labels, outcomes, wanted) if wanted else images.new_empty(0)
    return _Part(correct, outcomes, smallest)


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


def _smallest(
    subject: Subject, images: Tensor, labels: Tensor, outcomes: Sequence[Outcome], options: SmallestEps
) -> Tensor:
    """The smallest eps (n,) of evenly spaced images: between the largest eps that does not break it and the next."""
    total = len(subject.batches.order)
    rows = torch.from_numpy(evenly_spaced(len(images), max(1, options.images * len(images) // total)))
    low, attacked = torch.zeros(len(rows), device=images.device), images[rows].clone()
    for one in outcomes:
        low[one.worst[rows]] = one.eps
    for one in reversed(outcomes):
        broken = ~one.worst[rows]
        attacked[broken] = one.attacked[rows[broken]]
    return smallest_eps(
        subject.network,
        images[rows],
        labels[rows],
        attacked,
        partial(_attack_again, subject),
        norm=subject.options.norm,
        halvings=options.halvings,
        low=low,
    ).eps


def _attack_again(subject: Subject, network: nn.Module, images: Tensor, labels: Tensor, ball: Ball) -> Tensor:
    """PGD, or for networks without gradients Square."""
    generator = torch.Generator().manual_seed(1)
    if not subject.with_gradient:
        return square(network, images, labels, ball, SquareOptions(queries=BISECTION_QUERIES), generator=generator)
    return pgd(network, images, labels, ball, subject.options.attacks.pgd or PgdOptions(), generator=generator)


def _collect(parts: Sequence[_Part]) -> Collected:
    standing: dict[tuple[float, str], list[Tensor]] = {}
    costs: dict[tuple[float, str], Cost] = {}
    for one in (outcome for part in parts for outcome in part.outcomes):
        for name, stands in {**one.standing, WORST: one.worst}.items():
            standing.setdefault((one.eps, name), []).append(stands)
        for name, cost in one.costs.items():
            costs[one.eps, name] = costs.get((one.eps, name), Cost()) + cost
    return Collected(
        _joined([part.clean for part in parts]),
        {key: _joined(masks) for key, masks in standing.items()},
        costs,
        _joined([part.smallest for part in parts]).astype(np.float64),
    )


def _joined(tensors: Sequence[Tensor]) -> np.ndarray:
    array: np.ndarray = torch.cat(list(tensors)).cpu().numpy()
    return array
