"""The options of every image classifier: the block `model` of a run, one class per network, told apart by `name`."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, field_validator

from cvnlp.params.base import Strict
from cvnlp.params.option_types import Fraction, Sizes

Activation = Literal["relu", "leaky_relu", "elu", "gelu", "silu", "sigmoid", "tanh"]


class RulesOptions(Strict):
    """Hand-written rules for digits.

    `softness`: width of the sigmoid that softens each threshold, as a fraction of the ink. `sharpness`: factor from the
    fraction of rules that hold to the logit.
    """

    name: Literal["rules"] = "rules"
    softness: NonNegativeFloat = 0.02
    sharpness: NonNegativeFloat = 12.0


class LinearOptions(Strict):
    """Softmax regression; it has no options."""

    name: Literal["linear"] = "linear"


class MlpOptions(Strict):
    """A multilayer perceptron on the flattened image.

    `hidden`: units of each hidden layer. `dropout`: rate after each hidden layer.
    """

    name: Literal["mlp"] = "mlp"
    hidden: Sizes = Field(default=[128])
    dropout: Fraction = 0.0


class Block(Strict):
    """One block of a `cnn`: convolution, batch normalisation, activation, pooling, dropout.

    `padding`: what surrounds the image; all but `valid` keep its size where `stride` is 1. `pooling`: `max` or
    `average` over windows of `pool` x `pool` cells that do not overlap; `stride` multiplies the stride of the
    convolution by `pool` instead; or none.
    """

    filters: PositiveInt
    kernel_size: PositiveInt = 3
    stride: PositiveInt = 1
    dilation: PositiveInt = 1
    padding: Literal["valid", "zero", "reflect", "replicate"] = "zero"
    batch_norm: bool = False
    activation: Activation = "relu"
    pooling: Literal["max", "average", "none", "stride"] = "max"
    pool: PositiveInt = 2
    dropout: Fraction = 0.0


class CnnOptions(Strict):
    """Convolutional blocks, then fully connected layers.

    `hidden`: units of each hidden fully connected layer; [] has none. `dropout`: rate after each hidden layer, or
    before the output layer if there is none.
    """

    name: Literal["cnn"] = "cnn"
    blocks: Annotated[list[Block], Field(min_length=1)] = Field(default=[Block(filters=16), Block(filters=32)])
    hidden: list[PositiveInt] = Field(default=[64])
    dropout: Fraction = 0.0


class Lenet5Options(Strict):
    """LeNet-5 (LeCun et al. 1998); max, full and relu make the network that is called LeNet-5 today.

    `subsampling: trainable` has a weight, a bias and an activation for each map; average and max have none.
    `connections: table` connects C3 to S2 by Table I of the paper; full connects all maps.
    """

    name: Literal["lenet5"] = "lenet5"
    subsampling: Literal["trainable", "average", "max"] = "trainable"
    connections: Literal["table", "full"] = "table"
    activation: Literal["tanh", "relu"] = "tanh"


class AlexNetOptions(Strict):
    """AlexNet (Krizhevsky 2014), or a small form for images of 28 to 64 pixels.

    `width` multiplies the numbers of filters and hidden units. `dropout`: rate before both hidden layers.
    """

    name: Literal["alexnet"] = "alexnet"
    form: Literal["imagenet", "small"] = "small"
    width: PositiveFloat = 1.0
    dropout: Fraction = 0.5


class ResNetOptions(Strict):
    """A small residual network.

    `widths`: channels of each stage. `blocks`: residual blocks per stage, of `convolutions` each. `first_pool`: factor
    by which the first stage reduces the size; every other stage halves it. `pooling`: before or after the first
    convolution of each stage but the first, where it is always after. `dropout`: rate before the output layer.
    `logit_scale` multiplies the logits.
    """

    name: Literal["resnet"] = "resnet"
    widths: Sizes = Field(default=[24, 48, 96])
    blocks: NonNegativeInt = 1
    convolutions: Literal[1, 2] = 1
    first_pool: PositiveInt = 2
    pooling: Literal["before", "after"] = "after"
    activation: Activation = "relu"
    dropout: Fraction = 0.0
    logit_scale: PositiveFloat = 1.0


class NeocognitronOptions(Strict):
    """The neocognitron (Fukushima 1980).

    `first`: edge detectors of the first stage, drawn or learned; `first_planes`: how many. `planes`: largest number of
    cell planes of each further stage; `prototypes`: of labelled planes. `field` and `blur`: odd window sizes of S-cells
    and C-cells. `threshold` and `learning_threshold`: cosine of input and template from which an S-cell responds, in
    use and while learning. `sharpness`: factor from a response to the logit.
    """

    name: Literal["neocognitron"] = "neocognitron"
    first: Literal["edges", "learned"] = "edges"
    first_planes: PositiveInt = 8
    planes: Sizes = Field(default=[48])
    prototypes: PositiveInt = 500
    field: PositiveInt = 3
    blur: PositiveInt = 5
    threshold: Fraction = 0.65
    learning_threshold: Fraction = 0.75
    sharpness: PositiveFloat = 80.0

    @field_validator("field", "blur")
    @classmethod
    def _is_odd(cls, size: int) -> int:
        if size % 2 == 0:
            raise ValueError("must be odd, so that a window has a centre")
        return size


VisionNetwork = Annotated[
    RulesOptions
    | LinearOptions
    | MlpOptions
    | CnnOptions
    | Lenet5Options
    | AlexNetOptions
    | ResNetOptions
    | NeocognitronOptions,
    Field(discriminator="name"),
]
