"""Tiny networks with maps, made of given layers."""

import pytest
from torch import Tensor, nn


class Stack(nn.Module):
    """A sequence of feature layers and, optionally, a head that computes logits from the maps."""

    def __init__(self, *layers: nn.Module, head: nn.Module | None = None) -> None:
        super().__init__()
        self.features, self.head = nn.Sequential(*layers), head or nn.Identity()

    def feature_layers(self) -> list[tuple[str, nn.Module]]:
        return [(f"layer{number}", layer) for number, layer in enumerate(self.features, start=1)]

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images))


@pytest.fixture
def stack() -> type[Stack]:
    return Stack
