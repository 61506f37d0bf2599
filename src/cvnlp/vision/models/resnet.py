"""A small residual network for images of 28 to 64 pixels, designed for fast training on a CPU."""

from torch import Tensor, nn

from cvnlp.params.network_config import ImageFormat
from cvnlp.params.vision_networks import ResNetOptions
from cvnlp.vision.models.convolutional import ACTIVATIONS, BatchNorm, Convolutional, Maps, named


class ResNet(Convolutional):
    """Stages of a convolution, max pooling and residual blocks (He et al. 2016); global average pooling; logits.

    All convolutions are 3 x 3 with batch normalisation. Pooling before the first convolution of a stage is faster.
    """

    def __init__(self, images: ImageFormat, options: ResNetOptions) -> None:
        super().__init__(images)
        maps = Maps(images.shape)
        features = {}
        for number, width in enumerate(options.widths, start=1):
            pool = options.first_pool if number == 1 else 2
            early = number > 1 and options.pooling == "before"
            stage = _entry(maps.channels, width, pool, options.activation, early=early)
            for block in range(1, options.blocks + 1):
                stage[f"block{block}"] = Residual(width, options.convolutions, options.activation)
            maps.apply_window(pool, layer=f"stage {number}, pooling", key="model.widths", stride=pool)
            maps.channels, features[f"stage{number}"] = width, named(**stage)
        mean_of_maps = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        output = nn.Linear(maps.channels, images.classes)
        head = nn.Sequential(*mean_of_maps, nn.Dropout(options.dropout), output, Scale(options.logit_scale))
        self.layers = named(features=named(**features), head=head)


def _entry(channels: int, width: int, pool: int, activation: str, *, early: bool) -> dict[str, nn.Module]:
    """The first layers of a stage; `early` pools before the convolution, which then costs a quarter."""
    convolution = {"convolution": _convolution(channels, width)}
    pooling = {"pooling": nn.MaxPool2d(pool)}
    first = pooling | convolution if early else convolution | pooling
    return {**first, "batch_norm": BatchNorm(width), "activation": ACTIVATIONS[activation]()}


def _convolution(channels: int, width: int) -> nn.Conv2d:
    return nn.Conv2d(channels, width, 3, padding=1, bias=False)


class Residual(nn.Module):
    """activation(x + branch(x)); the branch has convolutions with batch normalisation and an activation in between."""

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
    """Multiplies by a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs * self.factor
