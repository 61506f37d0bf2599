"""Results of `make bench` as typed objects and as JSON."""

import math
import statistics
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cvnlp import files

Better = Literal["lower", "higher"]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Pairs(_Frozen):
    """Values of both sides, one of each per round, in the unit of the measure.

    `baseline_reached` is false if the baseline did not reach the goal; then its values are lower bounds, and the ratio
    is an upper bound. `details`: further numbers, such as the accuracies of both.
    """

    ours: list[float] = Field(min_length=1)
    baseline: list[float] = Field(min_length=1)
    baseline_reached: bool = True
    details: dict[str, float] = {}

    @property
    def ratio(self) -> float:
        """The median over rounds of ours / baseline: both sides of a round met the same state of the machine."""
        return statistics.median(mine / other for mine, other in zip(self.ours, self.baseline, strict=True))


class Row(_Frozen):
    """One measured line: `load`, the load average of the last minute before it; `seconds`, what it took."""

    unit: str
    better: Better
    against: str
    bound: float | None = None
    load: float
    seconds: float
    pairs: Pairs

    @property
    def holds_bound(self) -> bool:
        return self.bound is None or not is_worse(self.pairs.ratio, self.bound, self.better)


class Report(_Frozen):
    """`machine`: processor, versions, commit, date; `form`: quick or full; `not_measured`: name -> reason."""

    machine: dict[str, str | int | bool]
    form: Literal["quick", "full"]
    rows: dict[str, Row] = {}
    not_measured: dict[str, str] = {}

    def save(self, path: Path) -> None:
        files.write_json(path, self.model_dump(mode="json"))


def read_report(path: Path) -> Report:
    """ValueError if the file is missing, or of another form."""
    if not path.is_file():
        raise ValueError(f"{path}: no such file; `make bench` writes one")
    try:
        return Report.model_validate(files.read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{path} is no result of `make bench` ({place}: {first['msg']})") from None


def is_worse(ratio: float, bound: float, better: Better, *, tolerance: float = 0.0) -> bool:
    """Whether a ratio is worse than `bound` by more than the factor 1 + `tolerance`."""
    worsening = ratio / bound if better == "lower" else bound / ratio
    return worsening > 1 + tolerance and not math.isclose(worsening, 1 + tolerance)
