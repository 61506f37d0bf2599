"""A trained network and images for attacks."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cvnlp.vision.batches import split_batches
from cvnlp.vision.models.cnn import Cnn
from make_networks import classifier


@pytest.fixture(scope="module")
def pictures(vision_data: Path) -> tuple[Tensor, Tensor]:
    """A hundred images that the network was not trained on."""
    splits = [next(iter(split_batches(vision_data, split))) for split in ("validation", "test")]
    images, labels, _ = zip(*splits, strict=True)
    return torch.cat(images), torch.cat(labels)


@pytest.fixture(scope="module")
def network(vision_data: Path) -> Cnn:
    """A network that classifies all clean images correctly, and fewer of the attacked ones."""
    images, labels, _ = next(iter(split_batches(vision_data, "train")))
    torch.manual_seed(0)
    trained = classifier(
        "cnn", (12, 12, 1), 10, mean=0.2, std=0.25, blocks=[{"filters": 4}, {"filters": 8}], hidden=[16]
    )
    optimiser = torch.optim.AdamW(trained.parameters(), lr=0.01)
    for _ in range(40):
        loss = F.cross_entropy(trained(images), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    optimiser.zero_grad()
    return trained.eval()
