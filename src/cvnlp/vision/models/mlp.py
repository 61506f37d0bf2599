"""Fully connected networks on the flattened image."""

import itertools
import math

from torch import nn

from cvnlp.params.network_config import ImageFormat
from cvnlp.params.vision_networks import LinearOptions, MlpOptions
from cvnlp.vision.models.classifier import Classifier


class Linear(Classifier):
    """Softmax regression: one weight per pixel and class."""

    def __init__(self, images: ImageFormat, options: LinearOptions) -> None:
        super().__init__(images)
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(images.shape), images.classes))


class Mlp(Classifier):
    """A multilayer perceptron: the flattened image through fully connected layers with ReLU."""

    def __init__(self, images: ImageFormat, options: MlpOptions) -> None:
        super().__init__(images)
        self.layers = fully_connected(math.prod(images.shape), options.hidden, images.classes, options.dropout)


def fully_connected(inputs: int, hidden: list[int], outputs: int, dropout: float) -> nn.Sequential:
    """Flatten, hidden layers with ReLU and dropout, output layer; without hidden layers, dropout before the output."""
    layers: list[nn.Module] = [nn.Flatten()]
    for before, after in itertools.pairwise([inputs, *hidden]):
        layers += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(dropout)]
    if not hidden:
        layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, nn.Linear([inputs, *hidden][-1], outputs))
