"""Fully connected networks on the flattened picture."""

import itertools

from torch import nn

from cvnlp.params.option_types import Fraction, Several
from cvnlp.vision.models.classifier import Classifier


class Linear(Classifier):
    """Softmax regression: a weight for every pixel and class."""

    def __init__(self, shape: list[int], classes: int, mean: list[float], std: list[float]) -> None:
        super().__init__(shape, classes, mean, std)
        height, width, channels = shape
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(height * width * channels, classes))


class Mlp(Classifier):
    """The flattened picture through fully connected layers with ReLU."""

    def __init__(
        self,
        shape: list[int],
        classes: int,
        mean: list[float],
        std: list[float],
        *,
        hidden: Several = [128],  # noqa: B006  (read only)
        dropout: Fraction = 0.0,
    ) -> None:
        super().__init__(shape, classes, mean, std)
        if not hidden:
            raise ValueError("model.hidden: [] leaves no hidden layer; give the size of one or more, or name 'linear'")
        height, width, channels = shape
        sizes = [height * width * channels, *hidden]
        layers: list[nn.Module] = [nn.Flatten()]
        for inputs, outputs in itertools.pairwise(sizes):
            layers += [nn.Linear(inputs, outputs), nn.ReLU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], classes))
