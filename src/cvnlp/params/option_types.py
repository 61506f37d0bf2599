"""Number types that several options of params.yaml share; each states its range."""

from typing import Annotated

from pydantic import Field, PositiveInt

Fraction = Annotated[float, Field(ge=0, lt=1)]  # a dropout rate, a momentum
Sizes = Annotated[list[PositiveInt], Field(min_length=1)]  # of layers, in order
