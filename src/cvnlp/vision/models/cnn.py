"""Convolutional networks, block by block from params.yaml."""

from torch import nn

from cvnlp.options import Fraction, PositiveInt, Several
from cvnlp.vision.models.classifier import Classifier


class Cnn(Classifier):
    """Blocks of k filters n x n, ReLU and max pooling, then a fully connected layer and the classes."""

    def __init__(
        self,
        shape: list[int],
        classes: int,
        mean: list[float],
        std: list[float],
        *,
        filters: Several = [16, 32],  # noqa: B006  (read only)
        kernel_size: PositiveInt = 5,
        pool: PositiveInt = 2,
        hidden: PositiveInt = 64,
        dropout: Fraction = 0.0,
    ) -> None:
        super().__init__(shape, classes, mean, std)
        height, width, channels = shape
        layers: list[nn.Module] = []
        for block, count in enumerate(filters, start=1):
            layers += [nn.Conv2d(channels, count, kernel_size, padding="same"), nn.ReLU(), nn.MaxPool2d(pool)]
            channels, height, width = count, height // pool, width // pool
            if not (height and width):
                raise ValueError(
                    f"model.filters: after block {block} of {len(filters)} nothing is left of a picture of "
                    f"{shape[0]} x {shape[1]}; take fewer blocks or a smaller model.pool (now {pool})"
                )
        head = [nn.Flatten(), nn.Linear(channels * height * width, hidden), nn.ReLU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, *head, nn.Linear(hidden, classes))
