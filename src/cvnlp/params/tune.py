"""The block `tune` of a run: ranges of settings, in which `cvnlp tune` searches for the best ones."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, model_validator

from cvnlp.params.base import Strict

Whole = int  # inside of Range, `int` is a key
Bounds = Annotated[list[float], Field(min_length=2, max_length=2)]
WholeBounds = Annotated[list[Whole], Field(min_length=2, max_length=2)]
BLOCKS = ("model", "train")  # of a run, that a search may change
KINDS = ("log_uniform", "uniform", "int", "choice")


class Range(Strict):
    """The values of one setting: one of `log_uniform` and `uniform`, numbers from [low, high]; `int`, integers from
    [low, high]; `choice`, one of several values.

    log_uniform draws the logarithm uniformly, for settings such as a learning rate; its low is above 0.
    """

    log_uniform: Bounds | None = None
    uniform: Bounds | None = None
    choice: Annotated[list[Any], Field(min_length=2)] | None = None
    int: WholeBounds | None = None

    @model_validator(mode="after")
    def _is_one_range(self) -> "Range":
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"a range is one of {', '.join(KINDS)}; this has {', '.join(given) or 'none'}")
        if self.choice is not None:
            self._check_choice(self.choice)
        elif self.low >= self.high:
            raise ValueError(f"{self.kind}: low must be below high")
        elif self.log_uniform and self.low <= 0:
            raise ValueError("log_uniform: low must be above 0")
        return self

    def _check_choice(self, values: Sequence[Any]) -> None:
        if any(value in values[:place] for place, value in enumerate(values)):
            raise ValueError("choice: must not contain a value more than once")

    @property
    def kind(self) -> str:
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def low(self) -> float:
        return float(self.extremes[0])

    @property
    def high(self) -> float:
        return float(self.extremes[-1])

    @property
    def extremes(self) -> list[Any]:
        """Low and high, or all choices: every value of the range is allowed if these are."""
        return list(getattr(self, self.kind))

    def contains(self, value: Any) -> bool:
        """Whether a search in this range can return `value`."""
        if self.choice is not None:
            return value in self.choice
        number = isinstance(value, Whole | float) and not isinstance(value, bool)
        return number and self.low <= value <= self.high and (self.int is None or isinstance(value, Whole))


def substitute(block: Any, values: Mapping[str, Any]) -> Any:
    """A copy of nested tables and lists with new values at dotted keys; tables that are missing are added."""
    for key, value in values.items():
        block = _with(block, key.split("."), value)
    return block


def _with(block: Any, steps: Sequence[str], value: Any) -> Any:
    if not steps:
        return value
    step, *rest = steps
    if isinstance(block, list):
        place = index(block, step)
        return [_with(one, rest, value) if number == place else one for number, one in enumerate(block)]
    inner = dict(block) if isinstance(block, Mapping) else {}
    return {**inner, step: _with(inner.get(step), rest, value)}


def look_up(block: Any, key: str) -> Any:
    """The value at a dotted key of nested tables and lists; KeyError without it."""
    for step in key.split("."):
        if isinstance(block, list):
            block = block[index(block, step)]
        elif isinstance(block, Mapping):
            block = block[step]
        else:
            raise KeyError(key)
    return block


def index(entries: Sequence[Any], step: str) -> Whole:
    """The place in a list that a step of a key names; KeyError if there is none."""
    if not step.isdecimal() or int(step) >= len(entries):
        raise KeyError(step)
    return int(step)
