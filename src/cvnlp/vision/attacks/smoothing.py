"""Randomised smoothing: a radius within which no perturbation changes the class of a smoothed network.

Cohen et al. 2019. The smoothed network predicts the class that the network predicts most often when Gaussian noise is
added to the image. Pixels with noise may leave [0, 1], as in the proof.
"""

from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor, nn

from cvnlp.params.attacks import Certificate
from cvnlp.vision.inference import predict_outputs

ABSTAIN = -1  # instead of a class
BATCH = 512  # noisy images in memory at a time
COLUMNS = ["row", "predicted", "radius", "correct"]


def certify(network: nn.Module, images: Tensor, labels: Tensor, options: Certificate, *, seed: int = 1) -> pd.DataFrame:
    """Certify images (N, C, H, W) in [0, 1] with labels int64 (N,), by the algorithm CERTIFY.

    Columns: row; predicted, a class number or ABSTAIN; radius, of the L2 ball in which the smoothed network predicts
    that class, except with probability `options.failure` (0 for ABSTAIN); correct, whether it is the label.
    """
    rows = []
    for row, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
        generator = torch.Generator().manual_seed(seed * 1_000_003 + row)  # the result of an image is its own
        selected = int(_class_counts(network, image, options.selection_samples, options.sigma, generator).argmax())
        count = int(_class_counts(network, image, options.samples, options.sigma, generator)[selected])
        radius = certified_radius(count, options.samples, options.sigma, options.failure)
        rows.append((row, selected if radius > 0 else ABSTAIN, radius, radius > 0 and selected == label))
    return pd.DataFrame(rows, columns=COLUMNS)


def certified_accuracy(table: pd.DataFrame, radii: Sequence[float]) -> pd.DataFrame:
    """Columns radius and accuracy: the share of images certified to keep the right class within each radius.

    Radius 0 comes first: the share for which the smoothed network predicts the right class and does not abstain.
    """
    rows = [
        (radius, float((table["correct"] & (table["radius"] >= radius)).mean())) for radius in (0.0, *sorted(radii))
    ]
    return pd.DataFrame(rows, columns=["radius", "accuracy"])


def certified_radius(count: int, samples: int, sigma: float, failure: float) -> float:
    """The L2 radius of a class predicted for `count` of the `samples`; 0 if its probability may be below one half."""
    from scipy.stats import norm  # here: takes half a second

    bound = lower_bound(count, samples, failure)
    return sigma * float(norm.ppf(bound)) if bound > 0.5 else 0.0


def lower_bound(count: int, samples: int, failure: float) -> float:
    """The one-sided lower bound of a probability (Clopper and Pearson 1934), too large with probability `failure`."""
    from scipy.stats import beta

    return float(beta.ppf(failure, count, samples - count + 1)) if count else 0.0


def _class_counts(network: nn.Module, image: Tensor, samples: int, sigma: float, generator: torch.Generator) -> Tensor:
    """How often each class is predicted for the image (C, H, W) with noise, int64 (classes,)."""
    counts = None
    for start in range(0, samples, BATCH):
        noise = torch.randn(min(BATCH, samples - start), *image.shape, generator=generator).to(image)
        outputs = predict_outputs(network, [image + sigma * noise]).nan_to_num(0.0)  # a diverged network overflows
        found = torch.bincount(outputs.argmax(1).cpu(), minlength=outputs.shape[1])
        counts = found if counts is None else counts + found
    assert counts is not None
    return counts
