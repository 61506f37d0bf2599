"""Gradient attacks within an L-infinity ball: FGSM and projected gradient descent (PGD)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvnlp.vision.attacks.config import AttackConfig

COARSE_STEP = 2.5  # of the first half of PGD's steps, in units of eps / steps; those of the second half are 1


def fgsm(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    config: AttackConfig,
    *,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The fast gradient sign method: one step of eps along the sign of the loss gradient (Goodfellow et al. 2015)."""
    return (images + config.eps * _gradient(network, images, labels)[0].sign()).clamp(0, 1)


def pgd(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    config: AttackConfig,
    *,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Projected gradient ascent on the loss in `steps` steps of signed gradients (Madry et al. 2018).

    It starts from the result of FGSM and returns for each image the point of the largest margin of a wrong class, so it
    is never weaker than FGSM. An image stops as soon as it is misclassified.
    """
    worst = fgsm(network, images, labels, config)
    worst_margins = torch.full(labels.shape, -torch.inf, device=labels.device)
    active, attacked = torch.arange(len(labels), device=labels.device), worst.clone()
    for step in range(config.steps + 1):
        gradient, margins = _gradient(network, attacked, labels[active])
        worse = margins > worst_margins[active]
        worst[active[worse]], worst_margins[active[worse]] = attacked[worse], margins[worse]
        correct = margins <= 0
        active, attacked, gradient = active[correct], attacked[correct], gradient[correct]
        if step == config.steps or not len(active):
            break
        attacked = _project(images[active], attacked + _step_size(config, step) * gradient.sign(), config.eps)
    return worst


def _step_size(config: AttackConfig, step: int) -> float:
    return COARSE_STEP * config.eps / config.steps if step < config.steps // 2 else config.eps / config.steps


def _project(images: Tensor, attacked: Tensor, eps: float) -> Tensor:
    """The nearest point within eps of the images and within [0, 1]."""
    return attacked.clamp((images - eps).clamp(min=0), (images + eps).clamp(max=1))


def _gradient(network: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Gradient of each image's cross entropy with respect to its pixels, and the margin (B,) of the best wrong class.

    The margin is the largest logit of another class minus that of the label: above 0 exactly for misclassified images.
    PGD compares margins and not losses, for a correctly classified image may have the higher loss.
    """
    images = images.detach().requires_grad_()
    logits = network(images)
    loss = F.cross_entropy(logits, labels, reduction="sum")
    own, others = logits.gather(1, labels[:, None]), logits.scatter(1, labels[:, None], -torch.inf)
    return torch.autograd.grad(loss, images)[0], (others.amax(1) - own[:, 0]).detach()
