"""Where a classifier looks: what each pixel adds to the logit of the class it names, by integrated gradients."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from cvnlp.vision.insight.layers import count, evenly, pictures

BATCH = 512  # gradients at a time
REMOVED = 0.2  # share of the lit pixels that the check blackens


def attributions(network: nn.Module, images: Tensor, targets: Tensor, *, steps: int) -> tuple[Tensor, Tensor]:
    """Of every pixel, as `images`, and what their sums lack of logit(picture) - logit(black), (N,).

    Sundararajan et al. 2017: the gradient along the straight way from black to the picture. By their axiom of
    completeness nothing lacks; what does is the error of the sum over `steps`, or a network that is not continuous.
    """
    from captum.attr import IntegratedGradients  # takes seconds

    found, gaps = IntegratedGradients(network).attribute(
        images,
        baselines=torch.zeros_like(images),
        target=targets,
        n_steps=steps,
        internal_batch_size=max(BATCH, len(images)),
        return_convergence_delta=True,
    )
    return found.detach().to(images), gaps.detach().to(images)


@torch.no_grad()
def deletion(network: nn.Module, images: Tensor, targets: Tensor, ranking: Tensor) -> Tensor:
    """Fall (N,) of the target's probability when a fifth of the lit pixels goes black, the highest in `ranking` first.

    `ranking` is (N, H, W). After Petsiuk et al. 2018: pixels that the decision rests on should be missed.
    """
    lit = images.amax(1) > 0
    order = torch.where(lit, ranking, -torch.inf).flatten(1).argsort(dim=1, descending=True, stable=True).argsort(1)
    removed = order < (lit.flatten(1).sum(1, keepdim=True) * REMOVED).ceil()
    kept = images * ~removed.view(len(images), 1, *images.shape[2:])
    before, after = (network(shown).softmax(1).gather(1, targets[:, None])[:, 0] for shown in (images, kept))
    return before - after


def look(
    network: nn.Module, data: Path, classes: list[str], *, number: int, steps: int
) -> tuple[dict[str, float], pd.DataFrame, dict[str, np.ndarray]]:
    """Scores, a row for each of `number` validation pictures, and these (N, H, W, C) with their attributions (N, H, W).

    For the class that the network names, right or wrong; the channels of a pixel are added.
    """
    rows = evenly(count(data, "validation"), number)
    images, labels = pictures(data, "validation", rows)
    with torch.no_grad():
        logits, black = network(images), network(torch.zeros_like(images))
    named = logits.argmax(1)
    found, gaps = attributions(network, images, named, steps=steps)
    rises = (logits - black).gather(1, named[:, None])[:, 0]
    chance = torch.rand(found[:, 0].shape, generator=torch.Generator().manual_seed(1)).to(images)
    table = pd.DataFrame(
        {
            "index": rows,
            "actual": np.array(classes)[labels.cpu().numpy()],
            "predicted": np.array(classes)[named.cpu().numpy()],
            "logit_above_black": rises.cpu().numpy(),
            "attributed": found.flatten(1).sum(1).cpu().numpy(),
            "fall": deletion(network, images, named, found.sum(1)).cpu().numpy(),
            "fall_by_chance": deletion(network, images, named, chance).cpu().numpy(),
        }
    )
    scores = {
        "completeness_error": float(gaps.abs().sum() / rises.abs().sum().clamp(min=1e-12)),
        "deletion_fall": float(table["fall"].mean()),
        "deletion_fall_by_chance": float(table["fall_by_chance"].mean()),
    }
    shown = {"attended": images.permute(0, 2, 3, 1).cpu().numpy(), "attributions": found.sum(1).cpu().numpy()}
    return scores, table, shown
