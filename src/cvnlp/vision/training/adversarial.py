"""Adversarial training: the perturbations of training images, and the accuracy on perturbed validation images."""

import contextlib
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cvnlp.params.adversarial_training import SPAN, Adversarial
from cvnlp.vision.models.ball import Ball

Loss = Callable[[Tensor], Tensor]  # logits (B, classes) -> a number, the sum over the images
TRADES_START = 0.001  # standard deviation of the noise from which its ascent begins (Zhang et al. 2019)


def perturb(network: nn.Module, images: Tensor, labels: Tensor, options: Adversarial, *, scale: float) -> Tensor:
    """Training images within `scale` * eps of `images` (B, C, H, W), by the method of the options (not trades)."""
    eps = options.eps * scale
    if options.method == "noise":
        return images + eps * torch.randn_like(images)
    ball, step = Ball(options.norm, eps), options.relative_step * eps
    with _evaluating(network):
        return ascend(
            network, images, ball.random(images), _cross_entropy(labels), ball, steps=options.steps or 1, step=step
        )


def trades_divergence(
    network: nn.Module, images: Tensor, logits: Tensor, options: Adversarial, *, scale: float
) -> Tensor:
    """The divergence (Kullback-Leibler, mean over the images) between the predictions `logits` of the images and those
    of the perturbed images on which it is largest.
    """
    ball = Ball(options.norm, options.eps * scale)
    start = ball.project(images, images + TRADES_START * torch.randn_like(images))
    with _evaluating(network):
        of_images = network(images).detach().float().softmax(1)
        steps, step = options.steps or 1, options.relative_step * options.eps * scale
        attacked = ascend(network, images, start, _divergence(of_images), ball, steps=steps, step=step)
    return F.kl_div(network(attacked).float().log_softmax(1), logits.float().softmax(1), reduction="batchmean")


def attacked_predictions(
    network: nn.Module, images: Tensor, labels: Tensor, options: Adversarial, *, steps: int
) -> Tensor:
    """Classes (B,) that the network predicts for images perturbed by so many steps of PGD; of one step by FGSM.

    Without random numbers, so that validation changes nothing else: the ascent starts at the images.
    """
    ball = Ball(options.norm, options.eps)
    with torch.inference_mode(False), torch.enable_grad():
        images, labels = images.clone(), labels.clone()  # those made in inference mode cannot have gradients
        step = options.eps * (SPAN / steps if steps > 1 else 1.0)
        attacked = ascend(network, images, images, _cross_entropy(labels), ball, steps=steps, step=step)
        return network(attacked).argmax(1)


def ascend(
    network: nn.Module, images: Tensor, start: Tensor, loss: Loss, ball: Ball, *, steps: int, step: float
) -> Tensor:
    """The point in the ball after projected gradient ascent on the loss from `start`."""
    attacked = start.detach()
    for _ in range(steps):
        attacked.requires_grad_()
        gradient = torch.autograd.grad(loss(network(attacked).float()), attacked)[0]
        attacked = ball.project(images, attacked.detach() + step * ball.steepest(gradient))
    return attacked


def _cross_entropy(labels: Tensor) -> Loss:
    return lambda logits: F.cross_entropy(logits, labels, reduction="sum")


def _divergence(probabilities: Tensor) -> Loss:
    return lambda logits: F.kl_div(logits.log_softmax(1), probabilities, reduction="sum")


@contextlib.contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Perturbations are found without dropout, and leave the statistics of batch normalisation as they are."""
    network.eval()
    try:
        yield
    finally:
        network.train()
