"""Small changes of a picture that change its class: each attack is (network, images, labels, ...) -> attacked images.

Every result is within eps of the picture in every pixel and within [0, 1]; `verify` holds each attack to that.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvnlp.data.prepared import VisionFacts
from cvnlp.domains import AttackResult
from cvnlp.networks import device
from cvnlp.params.runs import VisionAttack
from cvnlp.vision.batches import Batches

TOLERANCE = 1e-6  # of float32 sums in [0, 1]


def random_offsets(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    eps: float,
    steps: int,
    generator: torch.Generator,
) -> Tensor:
    """Every pixel up or down by eps, as chance has it: as large as the attacks' changes, without their aim."""
    signs = torch.randint(0, 2, images.shape, generator=generator).to(images) * 2 - 1
    return (images + eps * signs).clamp(0, 1)


def fgsm(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    eps: float,
    steps: int = 1,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The fast gradient sign method: one step of eps up the loss (Goodfellow et al. 2015)."""
    return (images + eps * _gradient(network, images, labels)[0].sign()).clamp(0, 1)


def pgd(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    eps: float,
    steps: int,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Projected gradient descent (Madry et al. 2018): `steps` small steps up the loss, drawn back to within eps.

    Starts from where FGSM ends and keeps for each picture the worst point met, so it is never the weaker of the two;
    a picture taken for another class goes no further.
    """
    worst = fgsm(network, images, labels, eps=eps, generator=generator)
    worst_margins = torch.full(labels.shape, -torch.inf, device=labels.device)
    right, attacked = torch.arange(len(labels), device=labels.device), worst.clone()
    for step in range(steps + 1):
        gradient, margins = _gradient(network, attacked, labels[right])
        worse = margins > worst_margins[right]
        worst[right[worse]], worst_margins[right[worse]] = attacked[worse], margins[worse]
        still = margins <= 0
        right, attacked, gradient = right[still], attacked[still], gradient[still]
        if step == steps or not len(right):
            break
        size = 2.5 * eps / steps if step < steps // 2 else eps / steps  # finer in the second half
        low, high = (images[right] - eps).clamp(min=0), (images[right] + eps).clamp(max=1)
        attacked = (attacked + size * gradient.sign()).clamp(low, high)
    return worst


ATTACKS: dict[str, Callable[..., Tensor]] = {"random": random_offsets, "fgsm": fgsm, "pgd": pgd}


def _gradient(network: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Of each picture's own cross entropy with respect to its pixels; and by how much another class leads its own.

    That margin is above 0 exactly where the class is wrong, so that PGD never trades a won picture for a higher loss
    that still names the right class.
    """
    images = images.detach().requires_grad_()
    logits = network(images)
    loss = F.cross_entropy(logits, labels, reduction="sum")
    own, others = logits.gather(1, labels[:, None]), logits.scatter(1, labels[:, None], -torch.inf)
    return torch.autograd.grad(loss, images)[0], (others.amax(1) - own[:, 0]).detach()


def verify(images: Tensor, attacked: Tensor, *, eps: float) -> None:
    """AssertionError if an attack broke its own rules."""
    assert torch.isfinite(attacked).all(), "an attacked picture holds a value that is no number"
    assert (attacked - images).abs().max() <= eps + TOLERANCE, f"a pixel moved by more than eps {eps}"
    assert attacked.min() >= 0 and attacked.max() <= 1, "a pixel left [0, 1]"


def attack(network: nn.Module, data: Path, facts: VisionFacts, options: VisionAttack) -> AttackResult:
    """Accuracy under every attack and eps: scores (flat), rows (method, eps, accuracy), examples of flips."""
    images, labels = _choose(data, options.images)
    before = _predict(network, images)
    rows: list[dict[str, Any]] = []
    examples: dict[str, np.ndarray] = {}
    for eps in sorted(options.eps):
        for method, function in ATTACKS.items():
            generator = torch.Generator().manual_seed(1)
            attacked = function(network, images, labels, eps=eps, steps=options.steps, generator=generator)
            verify(images, attacked, eps=eps)
            after = _predict(network, attacked)
            rows.append({"method": method, "eps": eps, "accuracy": _share(after == labels)})
            flipped = ((before == labels) & (after != labels)).nonzero()[:, 0]
            if method == "pgd" and not examples and len(flipped) >= min(options.examples, len(labels)):
                examples = _examples(
                    images, attacked, before, after, _spread(flipped, options.examples), facts.classes, eps
                )
    scores = {f"accuracy_{row['method']}_{row['eps']:g}": row["accuracy"] for row in rows}
    scores |= {"accuracy_clean": _share(before == labels), "pictures": len(labels)}
    return AttackResult(scores, pd.DataFrame(rows), examples)


def _share(right: Tensor) -> float:
    return int(right.sum()) / len(right)


def _choose(data: Path, count: int) -> tuple[Tensor, Tensor]:
    """`count` test pictures, spread evenly over the split."""
    total = len(np.load(data / "test_labels.npy", mmap_mode="r"))
    order = np.linspace(0, total - 1, min(count, total)).astype(int)
    images, labels, _ = next(iter(Batches(data, "test", order, len(order))))
    return images.to(device()), labels.to(device())


@torch.inference_mode()
def _predict(network: nn.Module, images: Tensor) -> Tensor:
    return network(images).argmax(1)


def _spread(places: Tensor, count: int) -> Tensor:
    """`count` of the places, evenly from the first to the last."""
    return places[torch.linspace(0, len(places) - 1, min(count, len(places))).long()]


def _examples(
    images: Tensor, attacked: Tensor, before: Tensor, after: Tensor, chosen: Tensor, classes: list[str], eps: float
) -> dict[str, np.ndarray]:
    """Pictures (N, H, W, C) in [0, 1] before and after, and the classes that the network names."""
    names = np.array(classes)
    return {
        "clean": images[chosen].permute(0, 2, 3, 1).cpu().numpy(),
        "attacked": attacked[chosen].permute(0, 2, 3, 1).cpu().numpy(),
        "before": names[before[chosen].cpu().numpy()],
        "after": names[after[chosen].cpu().numpy()],
        "eps": np.array(eps),
    }
