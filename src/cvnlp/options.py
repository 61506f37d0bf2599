"""Types of the numbers in params.yaml: each says its range, so that a wrong number is refused where it is read."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

NonNegativeInt = Annotated[int, Field(ge=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]  # 0 <= x < 1: a dropout, a momentum, a smoothing
Share = Annotated[float, Field(ge=0, le=1)]  # 0 <= x <= 1: a share of tokens, an eps in pixel units
Several = Annotated[list[PositiveInt], Field(min_length=1)]

__all__ = [
    "Fraction",
    "Literal",
    "NonNegativeFloat",
    "NonNegativeInt",
    "PositiveFloat",
    "PositiveInt",
    "Several",
    "Share",
]
