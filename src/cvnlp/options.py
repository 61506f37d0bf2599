"""Types of the options in params.yaml: each says its range, so that a wrong value is refused where it is read."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

NonNegativeInt = Annotated[int, Field(ge=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]  # 0 <= x < 1: a dropout, a momentum, a smoothing
Share = Annotated[float, Field(ge=0, le=1)]  # 0 <= x <= 1: a share of tokens, an eps in pixel units
Several = Annotated[list[PositiveInt], Field(min_length=1)]
AnyNumber = list[PositiveInt]  # may be empty
Activation = Literal["relu", "leaky_relu", "elu", "gelu", "silu", "sigmoid", "tanh"]


class Block(BaseModel):
    """One block of a `cnn`: convolution, batch normalisation, activation, pooling, dropout.

    `padding`: what stands around the picture; all but `valid` leave its size as it is where `stride` is 1. `pooling`:
    over windows of `pool` x `pool` cells, side by side; or none; or, in its place, as much larger a stride.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    filters: PositiveInt
    kernel_size: PositiveInt = 3
    stride: PositiveInt = 1
    dilation: PositiveInt = 1
    padding: Literal["valid", "zero", "mirror", "repeat"] = "zero"
    batch_norm: bool = False
    activation: Activation = "relu"
    pooling: Literal["max", "average", "none", "stride"] = "max"
    pool: PositiveInt = 2
    dropout: Fraction = 0.0


if TYPE_CHECKING:
    Blocks = list[dict[str, Any]]  # what a constructor is given: as everything in a network's config, plain tables
else:
    Blocks = Annotated[list[Block], Field(min_length=1)]

__all__ = [
    "Activation",
    "AnyNumber",
    "Block",
    "Blocks",
    "Fraction",
    "Literal",
    "NonNegativeFloat",
    "NonNegativeInt",
    "PositiveFloat",
    "PositiveInt",
    "Several",
    "Share",
]
