"""Attribution: the contribution of each pixel to the logit of the predicted class, by integrated gradients."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.data.prepared import VisionFacts
from cvnlp.params.insight import VisionInsight
from cvnlp.vision.batches import evenly_spaced, object_rows
from cvnlp.vision.inference import predict_outputs
from cvnlp.vision.insight.layers import load_images

BATCH = 512  # images whose gradients are computed at a time
MAX_COMPLETENESS_ERROR = 0.1  # 0.001 to 0.005 for trained networks, 1 for one that jumps on the path from black
DELETED_SHARE = 0.2  # of the lit pixels, in the deletion test


def analyse_attribution(
    network: nn.Module, data: Path, facts: VisionFacts, options: VisionInsight, folder: Path
) -> dict[str, float]:
    """Attribute the predicted classes of some validation images, write the result into `folder`, return its scores.

    The contributions of the channels of a pixel are added: images are (N, H, W, C), attributions (N, H, W). If the
    completeness error is above `MAX_COMPLETENESS_ERROR`, they are not valid, and attribution_not_valid.txt has the
    reason instead.
    """
    rows, classes = object_rows(data, "validation", facts), facts.classes
    rows = rows[evenly_spaced(len(rows), options.attribution_images)]
    images, labels = load_images(data, "validation", rows)
    logits, black = (predict_outputs(network, [shown]) for shown in (images, torch.zeros_like(images)))
    predicted = logits.argmax(1)
    contributions, gaps = integrated_gradients(network, images, predicted, steps=options.attribution_steps)
    rises = (logits - black).gather(1, predicted[:, None])[:, 0]
    error = float(gaps.abs().sum() / rises.abs().sum().clamp(min=1e-12))
    if not error <= MAX_COMPLETENESS_ERROR:  # also if it is not a number
        files.write_text(folder / "attribution_not_valid.txt", _not_valid(error, options.attribution_steps))
        return {"completeness_error": error}
    table = pd.DataFrame(
        {
            "index": rows,
            "actual": np.array(classes)[labels.cpu().numpy()],
            "predicted": np.array(classes)[predicted.cpu().numpy()],
            "logit_above_black": rises.cpu().numpy(),
            "attributed": contributions.flatten(1).sum(1).cpu().numpy(),
            **_deletion_drops(network, images, predicted, contributions.sum(1)),
        }
    )
    files.write_table(folder / "attribution.csv", table)
    prepared.save_array(folder, "attributed_images", images.permute(0, 2, 3, 1).cpu().numpy())
    prepared.save_array(folder, "attributions", contributions.sum(1).cpu().numpy())
    return {
        "completeness_error": error,
        "deletion_drop": float(table["drop"].mean()),
        "deletion_drop_random": float(table["drop_random"].mean()),
    }


def _not_valid(error: float, steps: int) -> str:
    return (
        "The attributions of this network are left out, for they are not valid: integrated gradients should sum to the "
        f"difference between the logits of an image and of a black one, but with {steps} steps they miss "
        f"{error:.0%} of it (at most {MAX_COMPLETENESS_ERROR:.0%} is accepted). The logits are no continuous function "
        "of the pixels, or insight.attribution_steps is too low.\n"
    )


def _deletion_drops(network: nn.Module, images: Tensor, targets: Tensor, ranking: Tensor) -> dict[str, np.ndarray]:
    """The deletion test with this ranking (N, H, W) and with a random one."""
    noise = torch.rand(ranking.shape, generator=torch.Generator().manual_seed(1)).to(images)
    return {
        "drop": deletion_drop(network, images, targets, ranking).cpu().numpy(),
        "drop_random": deletion_drop(network, images, targets, noise).cpu().numpy(),
    }


def integrated_gradients(
    network: nn.Module, images: Tensor, targets: Tensor, *, steps: int, batch_size: int = BATCH
) -> tuple[Tensor, Tensor]:
    """Contributions of all pixels, with the shape of `images`, and their completeness errors (N,).

    Sundararajan et al. 2017: gradients along the straight path from the black image. By the axiom of completeness they
    sum to logit(image) - logit(black). The error is what the sum over `steps` misses, or a network that is not
    continuous.
    """
    from captum.attr import IntegratedGradients  # takes seconds to import

    contributions, gaps = IntegratedGradients(network).attribute(
        images,
        baselines=torch.zeros_like(images),
        target=targets,
        n_steps=steps,
        internal_batch_size=max(batch_size, len(images)),
        return_convergence_delta=True,
    )
    return contributions.detach().to(images), gaps.detach().to(images)


@torch.no_grad()
def deletion_drop(network: nn.Module, images: Tensor, targets: Tensor, ranking: Tensor) -> Tensor:
    """Drop (N,) of the target's probability when a fifth of the lit pixels turns black, the highest in rank first.

    `ranking` is (N, H, W). After Petsiuk et al. 2018: without the pixels that matter, the probability drops.
    """
    lit = images.amax(1) > 0
    order = torch.where(lit, ranking, -torch.inf).flatten(1).argsort(dim=1, descending=True, stable=True).argsort(1)
    deleted = order < (lit.flatten(1).sum(1, keepdim=True) * DELETED_SHARE).ceil()
    kept = images * ~deleted.view(len(images), 1, *images.shape[2:])
    before, after = (
        predict_outputs(network, [shown]).softmax(1).gather(1, targets[:, None])[:, 0] for shown in (images, kept)
    )
    return before - after
