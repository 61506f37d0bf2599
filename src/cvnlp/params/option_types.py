"""Types of the options in params.yaml: each says its range, so that a wrong value is refused where it is read."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

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


class DropoutPlaces(BaseModel):
    """The shares that a recurrent network drops, each at its place.

    `input`: of the embedded words. `between`: of what a layer hands to the next. `output`: of what the last layer says.
    `embedding`: whole words. `weight`: of the recurrent matrices.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    input: Fraction = 0.0
    between: Fraction = 0.0
    output: Fraction = 0.0
    embedding: Fraction = 0.0
    weight: Fraction = 0.0


def _share_or_places(given: Any, places: ValidatorFunctionWrapHandler) -> Any:
    """One number, which stands for the places input, between and output, or a table."""
    if isinstance(given, dict):
        return places(given)
    if isinstance(given, int | float) and not isinstance(given, bool) and 0 <= given < 1:
        return given
    raise ValueError(f"must be a share from 0 to below 1, or a table of {', '.join(DropoutPlaces.model_fields)}")


if TYPE_CHECKING:
    # what a constructor is given: as everything in a network's config, plain tables
    Blocks = list[dict[str, Any]]
    Dropouts = float | dict[str, float]
else:
    Blocks = Annotated[list[Block], Field(min_length=1)]
    Dropouts = Annotated[DropoutPlaces, WrapValidator(_share_or_places)]

__all__ = [
    "Activation",
    "AnyNumber",
    "Block",
    "Blocks",
    "DropoutPlaces",
    "Dropouts",
    "Fraction",
    "Literal",
    "NonNegativeFloat",
    "NonNegativeInt",
    "PositiveFloat",
    "PositiveInt",
    "Several",
    "Share",
]
