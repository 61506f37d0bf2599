"""Types that several options of params.yaml share; each number states its range."""

from typing import Annotated

from pydantic import AfterValidator, Field, PositiveInt


def _are_distinct(values: list[float]) -> list[float]:
    repeated = sorted({value for value in values if values.count(value) > 1})
    if repeated:
        raise ValueError(f"must not contain {', '.join(map(number_key, repeated))} more than once")
    return values


def number_key(number: float) -> str:
    """The shortest text that stands for exactly this number, in the names of scores: 0.1, 1, 1e-07."""
    return repr(float(number)).removesuffix(".0")


Fraction = Annotated[float, Field(ge=0, lt=1)]  # a dropout rate, a momentum
Sizes = Annotated[list[PositiveInt], Field(min_length=1)]  # of layers, in order
Distinct = AfterValidator(_are_distinct)  # of a list of settings, each of which has a result of its own
