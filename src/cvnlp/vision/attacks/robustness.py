"""Robustness of an image classifier: its accuracy under each attack, the worst case per image, and what breaks it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.data.prepared import VisionFacts
from cvnlp.domains import AttackResult
from cvnlp.networks import device
from cvnlp.params.attacks import PgdOptions, SquareOptions, VisionAttack
from cvnlp.params.option_types import number_key
from cvnlp.vision.attacks import flags, further, gallery, measures
from cvnlp.vision.attacks.ensemble import Cost, Outcome, attack_batch, choose_attacks, has_gradients
from cvnlp.vision.attacks.evaluations import correct_rows, is_correct
from cvnlp.vision.attacks.gradient import pgd
from cvnlp.vision.attacks.smallest import smallest_eps
from cvnlp.vision.attacks.square import square
from cvnlp.vision.attacks.table import ATTACKS
from cvnlp.vision.ball import Ball
from cvnlp.vision.batches import Batches, evenly_spaced, object_rows
from cvnlp.vision.inference import predict_classes

BATCH = 512  # images attacked at a time
SAMPLE = 64  # images from which flags are computed
METRIC_EPS = 0.1  # the accuracies at the nearest eps are metrics of DVC and MLflow
PICTURES = "attacked"  # float32 (N, eps, H, W, C): images under the attack that broke them, or the last one made


@dataclass
class Collected:
    """Results of all batches, in the order of the images.

    `standing`: (eps, attack) -> bool (N,); `costs`: the same -> cost in total; `smallest` float (N,): inf for images
    that no eps up to the largest has broken.
    """

    standing: dict[tuple[float, str], np.ndarray]
    costs: dict[tuple[float, str], Cost]
    smallest: np.ndarray

    @property
    def worst(self) -> dict[float, np.ndarray]:
        return {eps: stands for (eps, name), stands in self.standing.items() if name == measures.WORST}


def attack(
    network: nn.Module,
    data: Path,
    facts: VisionFacts,
    options: VisionAttack,
    folder: Path,
    *,
    batch_size: int = BATCH,
) -> AttackResult:
    """Attack evenly spaced test images of objects with every attack at every eps of the options.

    The scores are accuracies, of which those of `worst_case` count an image as broken if any attack has broken it at
    this eps or a smaller one, or if it is misclassified without an attack. Into `folder` go the attacked pictures and
    all tables behind the scores.
    """
    rows_of_objects = object_rows(data, "test", facts)
    chosen = rows_of_objects[evenly_spaced(len(rows_of_objects), options.images)]
    batches = Batches(data, "test", chosen, batch_size)
    first = next(iter(batches))
    images, labels = first.images.to(device()), first.labels.to(device())
    gradients = has_gradients(network, images[:SAMPLE], labels[:SAMPLE])
    found = _attack_all(network, batches, options, gradients, folder)
    all_labels = np.asarray(batches.labels[chosen], dtype=np.int64)
    prepared.save_array(folder, "rows", chosen)
    prepared.save_array(folder, "labels", all_labels)
    prepared.save_array(folder, "eps", np.array(sorted(options.eps)))
    table = measures.accuracy_table(found.standing, _costs_per_image(found))
    raised = _flags(network, images, labels, batches, options, found, folder, gradients)
    scores = _scores(found, table, options) | {f"flag_{flag.name}": float(flag.raised) for flag in raised}
    scores |= further.attack_otherwise(network, images, labels, facts.classes, options, folder, gradients=gradients)
    gallery.save(network, folder, facts.classes, batches, options)
    files.write_table(folder / "classes.csv", measures.accuracy_by_class(all_labels, found.worst, facts.classes))
    return AttackResult(scores, _metrics(scores, options), table, _seconds(found))


def _attack_all(
    network: nn.Module, batches: Batches, options: VisionAttack, gradients: bool, folder: Path
) -> Collected:
    """The results of all batches; the attacked pictures are written as they are made."""
    generator, strengths = torch.Generator().manual_seed(1), sorted(options.eps)
    attacks = choose_attacks(options, gradients=gradients)
    parts: list[tuple[list[Outcome], Tensor]] = []
    height, width, channels = batches.images.shape[1:]
    shape = (len(strengths), height, width, channels)
    with prepared.open_array_writer(folder, PICTURES, np.float32, shape) as append:
        for batch in batches:
            images, labels = batch.images.to(device()), batch.labels.to(device())
            made = attack_batch(
                network, images, labels, attacks, norm=options.norm, strengths=strengths, generator=generator
            )
            outcomes = list(made)
            append(torch.stack([one.attacked for one in outcomes], 1).permute(0, 1, 3, 4, 2).cpu().numpy())
            smallest = _smallest(network, images, labels, outcomes, options, gradients)
            parts.append(([_without_pictures(one) for one in outcomes], smallest))
    return _collect(parts)


def _without_pictures(outcome: Outcome) -> Outcome:
    return Outcome(outcome.eps, outcome.standing, outcome.costs, worst=outcome.worst)


def _smallest(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    outcomes: Sequence[Outcome],
    options: VisionAttack,
    gradients: bool,
) -> Tensor:
    """The smallest eps (B,) that breaks each image, between the largest eps that does not and the next one."""
    low = torch.zeros(len(images), device=images.device)
    for one in outcomes:
        low[one.worst] = one.eps

    def again(network: nn.Module, images: Tensor, labels: Tensor, ball: Ball) -> Tensor:
        generator = torch.Generator().manual_seed(1)
        if gradients:
            return pgd(network, images, labels, ball, options.attacks.pgd or PgdOptions(), generator=generator)
        return square(network, images, labels, ball, SquareOptions(queries=100), generator=generator)

    attacked, norm, halvings = outcomes[-1].attacked, options.norm, options.smallest
    return smallest_eps(network, images, labels, attacked, again, norm=norm, halvings=halvings, low=low).eps


def _collect(parts: Sequence[tuple[list[Outcome], Tensor]]) -> Collected:
    standing: dict[tuple[float, str], list[Tensor]] = {}
    costs: dict[tuple[float, str], Cost] = {}
    for outcomes, _ in parts:
        for one in outcomes:
            for name, stands in {**one.standing, measures.WORST: one.worst}.items():
                standing.setdefault((one.eps, name), []).append(stands)
            for name, cost in one.costs.items():
                costs[one.eps, name] = costs.get((one.eps, name), Cost()) + cost
    masks = {key: torch.cat(masks).cpu().numpy() for key, masks in standing.items()}
    return Collected(masks, costs, torch.cat([smallest for _, smallest in parts]).double().cpu().numpy())


def _costs_per_image(found: Collected) -> dict[tuple[float, str], tuple[float, float]]:
    """Gradients and classifications per image of the evaluation."""
    count = len(found.smallest)
    return {key: (cost.gradients / count, cost.forwards / count) for key, cost in found.costs.items()}


def _seconds(found: Collected) -> dict[str, float]:
    """Seconds of each attack over all eps."""
    names = dict.fromkeys(name for _, name in found.costs)
    return {name: sum(cost.seconds for (_, of), cost in found.costs.items() if of == name) for name in names}


def _scores(found: Collected, table: pd.DataFrame, options: VisionAttack) -> dict[str, float]:
    scores = {f"accuracy_{row.method}_{row.eps}": row.accuracy for row in table.itertuples()}
    for row in table[table["method"] == measures.WORST].itertuples():
        scores |= {f"lowest_{measures.WORST}_{row.eps}": row.low, f"highest_{measures.WORST}_{row.eps}": row.high}
    clean = float((found.smallest > 0).mean())
    strengths = sorted(options.eps)
    worst = [float(found.worst[eps].mean()) for eps in strengths]
    median = float(np.median(np.minimum(found.smallest, strengths[-1])))
    return scores | {
        "accuracy_clean": clean,
        "images": len(found.smallest),
        "area_under_worst_case": measures.area_under_curve(clean, worst, strengths),
        "median_smallest_eps": median,  # at most the largest eps
    }


def _metrics(scores: dict[str, float], options: VisionAttack) -> list[str]:
    shown = number_key(min(options.eps, key=lambda eps: abs(eps - METRIC_EPS)))
    ends = [name for name in scores if name.startswith("accuracy_") and name.endswith(f"_{shown}")]
    return [*ends, "area_under_worst_case", "median_smallest_eps", "flags_raised"]


def _flags(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    batches: Batches,
    options: VisionAttack,
    found: Collected,
    folder: Path,
    gradients: bool,
) -> list[flags.Flag]:
    """All flags; a table of them is written into `folder`."""
    rows = correct_rows(network, images, labels)[:SAMPLE]
    raised = flags.flags_of_network(network, images[rows], labels[rows], norm=options.norm) if len(rows) else []
    pgd_accuracies = {"pgd": [float(mask.mean()) for (_, name), mask in found.standing.items() if name == "pgd"]}
    gain = measures.black_box_gain(found.standing, {name: entry.gradient for name, entry in ATTACKS.items()})
    raised += flags.flags_of_attacks(pgd_accuracies, black_box_gain=gain, images=len(found.smallest))
    eps = min(options.eps, key=lambda eps: abs(eps - METRIC_EPS))
    left = torch.from_numpy(found.worst[eps][: len(images)]).to(images.device).nonzero()[:, 0][: 2 * SAMPLE]
    steps = (options.attacks.pgd or PgdOptions()).steps
    raised.append(
        flags.flag_of_effort(
            network, images[left], labels[left], Ball(options.norm, eps), steps=steps, total=len(images)
        )
    )
    raised.append(flags.flag_of_storage(_differing(network, batches, found, folder)))
    table = pd.DataFrame([(one.name, int(one.raised), one.value, one.limit, one.meaning) for one in raised])
    files.write_table(folder / "flags.csv", table.set_axis(["flag", "raised", "value", "limit", "meaning"], axis=1))
    return raised


def _differing(network: nn.Module, batches: Batches, found: Collected, folder: Path) -> int:
    """The number of stored pictures, over all eps, that are not classified as they were when they were scored."""
    stored, labels = prepared.load_array(folder, PICTURES), batches.labels[batches.order]
    differing = 0
    for number, (_, stands) in enumerate(sorted(found.worst.items())):
        for start in range(0, len(labels), batches.batch_size):
            part = slice(start, start + batches.batch_size)
            pictures = torch.from_numpy(np.array(stored[part, number])).permute(0, 3, 1, 2).to(device())
            correct = is_correct(network, pictures, torch.from_numpy(labels[part].astype(np.int64)).to(device()))
            differing += int((correct.cpu().numpy() != stands[part]).sum())
    return differing
