"""Random noise as large as the attacks' perturbations: the baseline to which they are compared."""

import torch
from torch import Tensor, nn

from cvnlp.params.attacks import RandomOptions
from cvnlp.vision.attacks.evaluations import correct_rows, is_correct
from cvnlp.vision.models.ball import Ball


def random_noise(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    ball: Ball,
    options: RandomOptions,
    *,
    generator: torch.Generator,
) -> Tensor:
    """Noise of the full size, `draws` times: signs of eps at each pixel (`linf`), or a random direction (`l2`)."""
    attacked, rows = images.clone(), correct_rows(network, images, labels)
    for _ in range(options.draws):
        if not len(rows):
            break
        normal = torch.randn(images.shape, generator=generator).to(images.device)
        noisy = images + ball.eps * ball.steepest(normal)  # the signs, or the directions, of normal numbers
        attacked[rows] = ball.project(images, noisy)[rows]
        rows = rows[is_correct(network, attacked[rows], labels[rows])]
    return attacked
