"""How attacks evaluate a network: outputs, losses and their gradients with respect to the pixels."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from cvnlp.vision.inference import most_probable

Loss = Callable[[Tensor], Tensor]  # outputs (B, classes) -> (B,)


class Evaluation(NamedTuple):
    """Predicted classes (B,), losses (B,), and gradients (B, C, H, W) of each image's loss."""

    predicted: Tensor
    losses: Tensor
    gradient: Tensor


def evaluate(network: nn.Module, images: Tensor, loss: Loss) -> Evaluation:
    """The gradient is 0 where the outputs do not depend on the pixels, or where a diverged network overflows."""
    images = images.detach().requires_grad_()
    with torch.enable_grad():
        outputs = network(images)
        losses = loss(outputs)
        total = losses.sum()
    gradient = torch.zeros_like(images)
    if total.requires_grad:
        (gradient,) = torch.autograd.grad(total, images, materialize_grads=True)
    return Evaluation(most_probable(outputs.detach()), losses.detach(), gradient.nan_to_num(0.0))


@torch.no_grad()
def outputs_of(network: nn.Module, images: Tensor) -> Tensor:
    outputs: Tensor = network(images)
    return outputs


def is_correct(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Bool (B,): whether each image is classified as its label."""
    return most_probable(outputs_of(network, images)) == labels


def correct_rows(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Numbers, int64 (n,), of the images that are classified correctly."""
    return is_correct(network, images, labels).nonzero()[:, 0]


class CountingNetwork(nn.Module):
    """A network that counts the images that it has classified (`forwards`), and their gradients (`gradients`)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.forwards, self.gradients = network, 0, 0
        self.train(network.training)

    def forward(self, images: Tensor) -> Tensor:
        outputs: Tensor = self.network(images)
        self.forwards += len(images)
        if outputs.requires_grad:
            outputs.register_hook(self._count_gradients)
        return outputs

    def _count_gradients(self, gradient: Tensor) -> None:
        self.gradients += len(gradient)
