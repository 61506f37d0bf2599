"""The loss of a network around one image: along the direction of an attack and along a random one."""

from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from cvnlp.vision.attacks.losses import cross_entropy, margin
from cvnlp.vision.inference import predict_outputs
from cvnlp.vision.models.ball import Ball

POINTS = 21  # along each axis: an odd number, so that the image itself is one of them
BATCH = 128
Loss = Literal["margin", "cross_entropy"]


def loss_surface(
    network: nn.Module,
    image: Tensor,
    attacked: Tensor,
    label: Tensor,
    ball: Ball,
    *,
    loss: Loss = "margin",
    points: int = POINTS,
    seed: int = 1,
) -> np.ndarray:
    """The loss float32 (points, points) at image + a * adversarial direction + b * random direction, within [0, 1].

    Rows are a, columns are b, both at the positions `surface_axis`. `image` and `attacked` (1, C, H, W) differ by the
    adversarial direction, `label` is int64 (1,). Both directions have size 1 in the norm of the ball. `margin`: the
    logit of the label minus the largest other one, below 0 where the image is misclassified.
    """
    axis = torch.from_numpy(surface_axis(ball, points)).to(image)
    adversarial = _direction(attacked - image, ball)
    rows, columns = (grid.flatten().view(-1, 1, 1, 1) for grid in torch.meshgrid(axis, axis, indexing="ij"))
    other = _direction(_random_change(image, ball, seed), ball)
    places = zip(rows.split(BATCH), columns.split(BATCH), strict=True)
    logits = predict_outputs(network, ((image + a * adversarial + b * other).clamp(0, 1) for a, b in places))
    values: np.ndarray = _losses(logits.float(), label.to(logits.device), loss).view(points, points).cpu().numpy()
    return values


def surface_axis(ball: Ball, points: int = POINTS) -> np.ndarray:
    """Positions float32 (points,) along either direction, from -eps to eps."""
    return np.linspace(-ball.eps, ball.eps, points, dtype=np.float32)


def _random_change(image: Tensor, ball: Ball, seed: int) -> Tensor:
    """Random signs for linf, so that all pixels change as much; normal numbers, uniform directions, for l2."""
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(seed)).to(image)
    return noise.sign() if ball.norm == "linf" else noise


def _direction(change: Tensor, ball: Ball) -> Tensor:
    """The change (1, C, H, W) scaled to size 1 in the norm of the ball; 0 if there is none."""
    size = float(ball.sizes(torch.zeros_like(change), change))
    return change / size if size else change


def _losses(logits: Tensor, label: Tensor, loss: Loss) -> Tensor:
    labels = label.expand(len(logits))
    return cross_entropy(logits, labels) if loss == "cross_entropy" else -margin(logits, labels)
