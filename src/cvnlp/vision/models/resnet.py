"""A small residual network for pictures of 28 to 64 pixels, made to train fast on a CPU."""

from typing import Literal

from torch import Tensor, nn

from cvnlp.params.option_types import Activation, Fraction, NonNegativeInt, PositiveFloat, PositiveInt, Several
from cvnlp.vision.models.convolutional import ACTIVATIONS, BatchNorm, Convolutional, Maps, named


class ResNet(Convolutional):
    """Stages of a convolution, max pooling and residual blocks (He et al. 2016), the mean of each map, the classes.

    All convolutions are 3 x 3 with batch normalisation. Every stage has one of the `widths`, halves the size (the first
    divides it by `first_pool`) and has `blocks` residual blocks of `convolutions` each. The pooling stands after the
    stage's first convolution or, faster, before it; in the first stage always after. Logits are multiplied by `scale`.
    """

    def __init__(
        self,
        shape: list[int],
        classes: int,
        mean: list[float],
        std: list[float],
        *,
        widths: Several = [24, 48, 96],  # noqa: B006  (read only)
        blocks: NonNegativeInt = 1,
        convolutions: Literal[1, 2] = 1,
        first_pool: PositiveInt = 2,
        pooling: Literal["before", "after"] = "after",
        activation: Activation = "relu",
        dropout: Fraction = 0.0,
        scale: PositiveFloat = 1.0,
    ) -> None:
        super().__init__(shape, classes, mean, std)
        maps = Maps(shape)
        features = {}
        for number, width in enumerate(widths, start=1):
            pool = first_pool if number == 1 else 2
            stage = _entry(maps.channels, width, pool, activation, early=number > 1 and pooling == "before")
            for block in range(1, blocks + 1):
                stage[f"block{block}"] = Residual(width, convolutions, activation)
            maps.slide(pool, layer=f"stage {number}, pooling", key="model.widths", stride=pool)
            maps.channels, features[f"stage{number}"] = width, named(**stage)
        mean_of_maps = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        head = nn.Sequential(*mean_of_maps, nn.Dropout(dropout), nn.Linear(maps.channels, classes), Scale(scale))
        self.layers = named(features=named(**features), head=head)


def _entry(channels: int, width: int, pool: int, activation: str, *, early: bool) -> dict[str, nn.Module]:
    """The first layers of a stage; what follows the pooling costs a quarter."""
    convolution = {"convolution": _convolution(channels, width)}
    pooling = {"pooling": nn.MaxPool2d(pool)}
    first = pooling | convolution if early else convolution | pooling
    return {**first, "batch_norm": BatchNorm(width), "activation": ACTIVATIONS[activation]()}


def _convolution(channels: int, width: int) -> nn.Conv2d:
    return nn.Conv2d(channels, width, 3, padding=1, bias=False)


class Residual(nn.Module):
    """activation(x + branch(x)); the branch: convolutions with batch normalisation, an activation between them."""

    def __init__(self, width: int, convolutions: int, activation: str) -> None:
        super().__init__()
        branch: list[nn.Module] = []
        for _ in range(convolutions):
            branch += [ACTIVATIONS[activation](), _convolution(width, width), BatchNorm(width)]
        self.branch = nn.Sequential(*branch[1:])
        self.activation = ACTIVATIONS[activation]()

    def forward(self, maps: Tensor) -> Tensor:
        return self.activation(maps + self.branch(maps))


class Scale(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs * self.factor
