"""Types of the options in params.yaml: each says its range, so that a wrong value is refused where it is read."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PositiveFloat, PositiveInt

NonNegativeInt = Annotated[int, Field(ge=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]  # 0 <= x < 1: a dropout, a momentum, a smoothing
Share = Annotated[float, Field(ge=0, le=1)]  # 0 <= x <= 1: a share of tokens, an eps in pixel units
Several = Annotated[list[PositiveInt], Field(min_length=1)]
AnyNumber = list[PositiveInt]  # may be empty
Activation = Literal["relu", "leaky_relu", "elu", "gelu", "silu", "sigmoid", "tanh"]


def _refuse(value: Any) -> Any:
    raise ValueError(f"unknown key; valid keys: {', '.join(sorted(Block.model_fields))}")


class Block(BaseModel):
    """One block of a `cnn`: convolution, batch normalisation, activation, pooling, dropout.

    `padding`: what stands around the picture; all but `valid` leave its size as it is where `stride` is 1. `pooling`:
    over windows of `pool` x `pool` cells, side by side; or none; or, in its place, as much larger a stride.
    """

    # extra keys are allowed only to be refused each by its own path
    model_config = ConfigDict(extra="allow", frozen=True, strict=True, allow_inf_nan=False)
    __pydantic_extra__: dict[str, Annotated[Any, BeforeValidator(_refuse)]]

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


Blocks = Annotated[list[Annotated[Any, AfterValidator(Block.model_validate)]], Field(min_length=1)]

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
