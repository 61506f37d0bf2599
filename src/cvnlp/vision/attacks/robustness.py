"""Robustness of an image classifier: its accuracy under each attack, the worst case per image, and what breaks it."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.data.prepared import VisionFacts
from cvnlp.domains import AttackResult
from cvnlp.launch.devices import device
from cvnlp.params.attacks import PgdOptions, VisionAttack, shown_strength
from cvnlp.params.option_types import number_key
from cvnlp.vision.attacks import flags, gallery, measures
from cvnlp.vision.attacks.collected import WORST, Collected, Subject, attack_all, count_differing
from cvnlp.vision.attacks.ensemble import share_with_gradient
from cvnlp.vision.attacks.evaluations import correct_rows
from cvnlp.vision.attacks.further import attack_otherwise
from cvnlp.vision.attacks.table import ATTACKS
from cvnlp.vision.batches import Batches, evenly_spaced, object_rows
from cvnlp.vision.models.ball import Ball

BATCH = 512  # images attacked at a time
SAMPLE = 64  # images from which flags are computed


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
    this eps or a smaller one, or if it is misclassified without an attack. Into `folder` go the attacked pictures with
    the rows of the test split that they come from, and all tables behind the scores.
    """
    rows = object_rows(data, "test", facts)
    batches = Batches(data, "test", rows[evenly_spaced(len(rows), options.images)], batch_size)
    first = next(iter(batches))
    sample = first.images[:SAMPLE].to(device()), first.labels[:SAMPLE].to(device())
    subject = Subject(network, batches, options, share_with_gradient(network, *sample), folder)
    found = attack_all(subject)
    table = measures.accuracy_table(found)
    raised = _flags(subject, found)
    scores = _scores(found, table, subject.strengths) | {f"flag_{one.name}": float(one.raised) for one in raised}
    scores["flags_raised"] = float(sum(one.raised for one in raised))
    scores |= attack_otherwise(subject, facts.classes)
    _save(subject, found, raised, facts.classes)
    return AttackResult(scores, _metrics(scores, options), table, found.seconds())


def _scores(found: Collected, table: pd.DataFrame, strengths: list[float]) -> dict[str, float]:
    rows = table.to_dict("records")
    scores = {f"accuracy_{row['method']}_{row['eps']}": float(row["accuracy"]) for row in rows}
    for row in rows:
        if row["method"] == WORST:
            ends = {f"interval_{WORST}_{row['eps']}_{end}": float(row[end]) for end in ("low", "high")}
            scores |= ends
    clean, worst = float(found.clean.mean()), [float(found.worst[eps].mean()) for eps in strengths]
    if len(found.smallest):  # at most the largest eps: those that it does not break are known no better
        scores["median_smallest_eps"] = float(np.median(np.minimum(found.smallest, strengths[-1])))
    area = measures.area_under_curve(clean, worst, strengths)
    return scores | {"accuracy_clean": clean, "images": len(found.clean), "area_under_worst_case": area}


def _metrics(scores: dict[str, float], options: VisionAttack) -> list[str]:
    """One accuracy per attack, and the numbers that summarise all."""
    ending = f"_{number_key(shown_strength(options.eps))}"
    of_attacks = [name for name in scores if name.startswith("accuracy_") and name.endswith(ending)]
    summary = ("area_under_worst_case", "median_smallest_eps", "flags_raised")
    return [*of_attacks, *(name for name in summary if name in scores)]


def _flags(subject: Subject, found: Collected) -> list[flags.Flag]:
    network, options = subject.network, subject.options
    images, labels = subject.first()
    rows = correct_rows(network, images, labels)[:SAMPLE]
    raised = flags.flags_of_network(network, images[rows], labels[rows], norm=options.norm) if len(rows) else []
    pgd_accuracies = [float(stands.mean()) for (_, name), stands in found.standing.items() if name == "pgd"]
    gain = measures.black_box_gain(found, {name: entry.gradient for name, entry in ATTACKS.items()})
    raised += flags.flags_of_attacks(pgd_accuracies, black_box_gain=gain, images=len(found.clean))
    eps, steps = shown_strength(options.eps), (options.attacks.pgd or PgdOptions()).steps
    left = torch.from_numpy(np.flatnonzero(found.worst[eps][: len(images)])[:SAMPLE]).to(images.device)
    ball = Ball(options.norm, eps)
    raised.append(flags.flag_of_effort(network, images[left], labels[left], ball, steps=steps, total=len(images)))
    return [*raised, flags.flag_of_storage(count_differing(subject, found))]


def _save(subject: Subject, found: Collected, raised: list[flags.Flag], classes: list[str]) -> None:
    """Write what belongs to the attacked pictures, and the tables."""
    folder = subject.folder
    arrays = {"rows": subject.batches.order, "labels": subject.labels, "eps": np.array(subject.strengths)}
    for name, array in (arrays | {"smallest_eps": found.smallest}).items():
        prepared.save_array(folder, name, array)
    table = pd.DataFrame([(one.name, int(one.raised), one.value, one.limit, one.meaning) for one in raised])
    files.write_table(folder / "flags.csv", table.set_axis(["flag", "raised", "value", "limit", "meaning"], axis=1))
    files.write_table(folder / "costs.csv", measures.cost_table(found))
    files.write_table(folder / "classes.csv", measures.accuracy_by_class(subject.labels, found.worst, classes))
    gallery.save(subject, found, classes)
