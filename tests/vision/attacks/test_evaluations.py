"""Evaluations of a network by attacks, and their number."""

import torch
from torch import Tensor, nn

from cvnlp.vision.attacks.evaluations import CountingNetwork, correct_rows, evaluate
from cvnlp.vision.attacks.losses import margin
from cvnlp.vision.models.cnn import Cnn


def test_gradient_is_that_of_the_loss_of_each_image() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    images, labels = torch.rand(3, 1, 2, 2), torch.tensor([0, 1, 1])
    predicted, losses, gradient = evaluate(network, images, lambda outputs: margin(outputs, labels))
    weights = network[1].weight.detach()
    assert torch.allclose(gradient.flatten(1), weights[1 - labels] - weights[labels])
    assert torch.equal(losses > 0, predicted != labels)
    assert not images.requires_grad and not losses.requires_grad and network[1].weight.grad is None


def test_outputs_without_a_gradient_have_the_gradient_zero() -> None:
    class Constant(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return torch.ones(len(images), 2)

    class WithWeights(Constant):
        def __init__(self) -> None:
            super().__init__()
            self.weights = nn.Parameter(torch.tensor([1.0, 2.0]))

        def forward(self, images: Tensor) -> Tensor:
            return self.weights.repeat(len(images), 1)

    for network in (Constant(), WithWeights()):
        found = evaluate(network, torch.rand(3, 1, 2, 2), lambda outputs: outputs[:, 0])
        assert found.gradient.shape == (3, 1, 2, 2) and not found.gradient.any()


def test_counting_network_counts_images_and_gradients(network: Cnn, pictures: tuple[Tensor, Tensor]) -> None:
    images, labels = pictures
    counting = CountingNetwork(network)
    assert not counting.training and list(counting.parameters()) == list(network.parameters())
    assert torch.equal(correct_rows(counting, images, labels), correct_rows(network, images, labels))
    assert (counting.forwards, counting.gradients) == (100, 0)
    evaluate(counting, images[:30], lambda outputs: margin(outputs, labels[:30]))
    assert (counting.forwards, counting.gradients) == (130, 30)
