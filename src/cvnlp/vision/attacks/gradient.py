"""Gradient attacks within an L-infinity ball: FGSM and projected gradient descent (PGD).

Both ascend a loss whose gradient does not vanish where the network is certain. That of the cross entropy is 0 in
float32 as soon as the probability of the label rounds to 1, and a network would seem robust because its logits are
large.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from cvnlp.vision.attacks.config import AttackConfig

COARSE_STEP = 2.5  # of the first half of PGD's steps, in units of eps / steps; those of the second half are 1
# Between the largest and the smallest logit of an image. With a wide range PGD follows one wrong class alone, with a
# narrow one all of them; it is strongest between 12 and 20, the range of trained networks.
LOGIT_RANGE = 16.0

Loss = Callable[[Tensor, Tensor], Tensor]  # logits (B, classes) and labels (B,) -> (B,)


def fgsm(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    config: AttackConfig,
    *,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The fast gradient sign method: one step of eps along the sign of the loss gradient (Goodfellow et al. 2015)."""
    return _signed_step(network, images, labels, config, log_odds)


def pgd(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    config: AttackConfig,
    *,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Projected gradient ascent on a loss in `steps` steps of signed gradients (Madry et al. 2018).

    The loss, `scaled_log_odds`, is independent of the scale of the logits. The first point is one step of eps from the
    image. The result is for each image the point of the largest margin of a wrong class, also among that of FGSM, so it
    is never weaker than FGSM. An image stops as soon as it is misclassified.
    """
    worst = fgsm(network, images, labels, config)
    worst_margins = _gradient(network, worst, labels, log_odds)[1]
    active = (worst_margins <= 0).nonzero()[:, 0]
    attacked = _signed_step(network, images[active], labels[active], config, scaled_log_odds)
    for step in range(config.steps + 1):
        gradient, margins = _gradient(network, attacked, labels[active], scaled_log_odds)
        worse = margins > worst_margins[active]
        worst[active[worse]], worst_margins[active[worse]] = attacked[worse], margins[worse]
        correct = margins <= 0
        active, attacked, gradient = active[correct], attacked[correct], gradient[correct]
        if step == config.steps or not len(active):
            break
        attacked = _next_point(images[active], attacked, gradient, config, step)
    return worst


def targeted_pgd(network: nn.Module, images: Tensor, targets: Tensor, config: AttackConfig) -> Tensor:
    """Projected gradient descent towards the classes `targets`, int64 (B,): the targeted form of `pgd`.

    An image stops as soon as it is classified as its target.
    """
    attacked = images.clone()
    for step in range(config.steps + 1):
        gradient, margins = _gradient(network, attacked, targets, scaled_log_odds)
        missed = margins >= 0
        if step == config.steps or not missed.any():
            break
        moved = _next_point(images, attacked, -gradient, config, step)
        attacked = torch.where(missed.view(-1, 1, 1, 1), moved, attacked)
    return attacked


def _next_point(images: Tensor, attacked: Tensor, gradient: Tensor, config: AttackConfig, step: int) -> Tensor:
    """One step along the sign of the gradient; where there is none, as behind dead units, a random point instead.

    The random signs are the same for all images, so that the result of an image does not depend on its batch.
    """
    signs = torch.randint(0, 2, images.shape[1:], generator=torch.Generator().manual_seed(step)).to(images) * 2 - 1
    moved = attacked + _step_size(config, step) * gradient.sign()
    vanished = ~gradient.flatten(1).any(1).view(-1, 1, 1, 1)
    return _project(images, torch.where(vanished, images + config.eps * signs, moved), config.eps)


def log_odds(logits: Tensor, labels: Tensor) -> Tensor:
    """Log-odds (B,) of all other classes against the label.

    Cross entropy is its softplus: both have gradients of the same direction, but this one's does not vanish.
    """
    own, others = _own_and_others(logits, labels)
    return others.logsumexp(1) - own


def scaled_log_odds(logits: Tensor, labels: Tensor) -> Tensor:
    """The log-odds of the logits of each image scaled to LOGIT_RANGE: the same for all multiples of the logits."""
    spread = (logits.amax(1, keepdim=True) - logits.amin(1, keepdim=True)).detach()
    return log_odds(logits * (LOGIT_RANGE / torch.where(spread > 0, spread, 1.0)), labels)


def _margins(logits: Tensor, labels: Tensor) -> Tensor:
    """The largest logit of another class minus that of the label, (B,): above 0 exactly for misclassified images."""
    own, others = _own_and_others(logits, labels)
    return others.amax(1) - own


def _own_and_others(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The logit of the label (B,), and the logits (B, classes) with -inf in its place."""
    places = labels[:, None]
    return logits.gather(1, places)[:, 0], logits.scatter(1, places, -torch.inf)


def _signed_step(network: nn.Module, images: Tensor, labels: Tensor, config: AttackConfig, loss: Loss) -> Tensor:
    """One step of eps along the sign of the gradient."""
    return (images + config.eps * _gradient(network, images, labels, loss)[0].sign()).clamp(0, 1)


def _step_size(config: AttackConfig, step: int) -> float:
    return COARSE_STEP * config.eps / config.steps if step < config.steps // 2 else config.eps / config.steps


def _project(images: Tensor, attacked: Tensor, eps: float) -> Tensor:
    """The nearest point within eps of the images and within [0, 1]."""
    return attacked.clamp((images - eps).clamp(min=0), (images + eps).clamp(max=1))


def _gradient(network: nn.Module, images: Tensor, labels: Tensor, loss: Loss) -> tuple[Tensor, Tensor]:
    """Gradient of each image's loss with respect to its pixels, and the margin (B,) of the best wrong class.

    PGD compares margins and not losses, for a correctly classified image may have the higher loss. The gradient is 0
    where a diverged network overflows.
    """
    images = images.detach().requires_grad_()
    logits = network(images)
    gradient = torch.autograd.grad(loss(logits, labels).sum(), images)[0]
    return gradient.nan_to_num(0.0), _margins(logits, labels).detach()
