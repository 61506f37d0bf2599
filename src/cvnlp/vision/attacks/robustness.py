"""Robustness of an image classifier: its accuracy under each attack at each strength, and examples."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from cvnlp.data.prepared import VisionFacts
from cvnlp.domains import AttackResult
from cvnlp.networks import device
from cvnlp.params.attacks import VisionAttack
from cvnlp.params.option_types import number_key
from cvnlp.vision.attacks.checks import check_attacked
from cvnlp.vision.attacks.table import ATTACKS
from cvnlp.vision.ball import Ball
from cvnlp.vision.batches import Batches, evenly_spaced, object_rows
from cvnlp.vision.inference import predict_classes

BATCH = 512  # images attacked at a time
EXAMPLES_OF = "pgd"
METRIC_EPS = 0.1  # the accuracies at the nearest eps are metrics of DVC and MLflow


class _Attacked(NamedTuple):
    """Images (N, C, H, W) and predicted classes (N,), before and after an attack."""

    clean: Tensor
    attacked: Tensor
    before: Tensor
    after: Tensor


def attack(
    network: nn.Module, data: Path, facts: VisionFacts, options: VisionAttack, *, batch_size: int = BATCH
) -> AttackResult:
    """Attack evenly spaced test images of objects with every attack at every eps of the options.

    The scores are accuracies; the table has the columns method, eps (as exact text) and accuracy. The examples are
    images that PGD at the smallest sufficient eps has made misclassified.
    """
    rows_of_objects = object_rows(data, "test", facts)
    chosen = rows_of_objects[evenly_spaced(len(rows_of_objects), options.images)]
    batches = Batches(data, "test", chosen, batch_size)
    labels = torch.from_numpy(batches.labels[chosen].astype(np.int64))
    attacks = [name for name in ATTACKS if getattr(options.table, name) is not None]
    before = torch.cat([predict_classes(network, batch.images).cpu() for batch in batches])
    rows: list[tuple[str, str, float]] = []
    examples: dict[str, np.ndarray] = {}
    for eps in sorted(options.eps):
        for name in attacks:
            after, flipped = _attack(network, name, batches, before, Ball(options.norm, eps), options)
            rows.append((name, number_key(eps), _accuracy(after, labels)))
            if name == EXAMPLES_OF and not examples and len(flipped.after) >= min(options.examples, len(labels)):
                examples = _examples(flipped, options.examples, facts.classes, eps)
    scores = {f"accuracy_{name}_{eps}": accuracy for name, eps, accuracy in rows}
    scores |= {"accuracy_clean": _accuracy(before, labels), "images": len(labels)}
    shown = number_key(min(options.eps, key=lambda eps: abs(eps - METRIC_EPS)))
    metrics = [f"accuracy_{name}_{shown}" for name in attacks]
    return AttackResult(scores, metrics, pd.DataFrame(rows, columns=["method", "eps", "accuracy"]), examples)


def _attack(
    network: nn.Module, name: str, batches: Batches, before: Tensor, ball: Ball, options: VisionAttack
) -> tuple[Tensor, _Attacked]:
    """Predicted classes (N,) of all attacked images, and those images that only the attack makes misclassified."""
    predictions, flipped = [], []
    attacked_batches = _attack_batches(network, name, batches, ball, options)
    for (images, attacked, labels, after), clean in zip(
        attacked_batches, before.split(batches.batch_size), strict=True
    ):
        chosen = ((clean == labels) & (after != labels)).nonzero()[:, 0]
        flipped.append(_Attacked(images[chosen], attacked[chosen], clean[chosen], after[chosen]))
        predictions.append(after)
    return torch.cat(predictions), _Attacked(*(torch.cat(parts) for parts in zip(*flipped, strict=True)))


def _attack_batches(
    network: nn.Module, name: str, batches: Batches, ball: Ball, options: VisionAttack
) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """For each batch, on the CPU: images, attacked images, labels, and predicted classes under attack."""
    generator = torch.Generator().manual_seed(1)
    for batch in batches:
        images, labels = batch.images.to(device()), batch.labels.to(device())
        attacked = ATTACKS[name].function(
            network, images, labels, ball, getattr(options.table, name), generator=generator
        )
        check_attacked(images, attacked, ball)
        yield batch.images, attacked.cpu(), batch.labels, predict_classes(network, attacked).cpu()


def _accuracy(predictions: Tensor, labels: Tensor) -> float:
    return int((predictions == labels).sum()) / len(labels)


def _examples(flipped: _Attacked, count: int, classes: list[str], eps: float) -> dict[str, np.ndarray]:
    """At most `count` images (n, H, W, C) before and after the attack, evenly spaced, with their predicted classes."""
    rows = torch.linspace(0, len(flipped.after) - 1, min(count, len(flipped.after))).long()
    names = np.array(classes)
    return {
        "clean": flipped.clean[rows].permute(0, 2, 3, 1).numpy(),
        "attacked": flipped.attacked[rows].permute(0, 2, 3, 1).numpy(),
        "before": names[flipped.before[rows].numpy()],
        "after": names[flipped.after[rows].numpy()],
        "eps": np.array(eps),
    }
