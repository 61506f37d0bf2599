"""Random noise as large as the attacks' perturbations: the baseline to which they are compared."""

import torch
from torch import Tensor, nn

from cvnlp.vision.attacks.config import AttackConfig


def random_noise(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    config: AttackConfig,
    *,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Add or subtract eps at each pixel, with equal probability; network and labels are ignored."""
    signs = torch.randint(0, 2, images.shape, generator=generator).to(images) * 2 - 1
    return (images + config.eps * signs).clamp(0, 1)
