"""The block `gates` of a run: what a model must reach before `report` registers it in MLflow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, PositiveFloat

from cvnlp.params.base import Strict
from cvnlp.params.option_types import number_key

Scores = Mapping[str, float]
Share = Annotated[float, Field(gt=0, le=1)]


class Gates(Strict):
    """`maximum_size`: of the weights on disk, in MB (10^6 bytes); `maximum_latency`: median of single requests, in
    milliseconds, on this machine and one thread: pictures classified one at a time, or tokens generated.
    """

    maximum_size: PositiveFloat | None = None
    maximum_latency: PositiveFloat | None = None

    def values(self, scores: Scores, attacks: Scores) -> dict[str, float | None]:
        """Gate -> its value in the scores of a run on the test split, and under attack."""
        raise NotImplementedError


class VisionGates(Gates):
    """`minimum_accuracy` on the test split; `minimum_worst_case_accuracy`: the share of attacked images that no
    attack breaks at `worst_case_eps`, which must be one of attack.eps.
    """

    minimum_accuracy: Share | None = None
    minimum_worst_case_accuracy: Share | None = None
    worst_case_eps: Share = 0.1

    def values(self, scores: Scores, attacks: Scores) -> dict[str, float | None]:
        return {
            "minimum_accuracy": scores.get("accuracy"),
            "minimum_worst_case_accuracy": attacks.get(f"accuracy_worst_case_{number_key(self.worst_case_eps)}"),
        }


def check_worst_case(gates: VisionGates | None, eps: list[float]) -> None:
    """ValueError if the gates need an attack that is not among those of strengths `eps`."""
    if gates and gates.minimum_worst_case_accuracy and gates.worst_case_eps not in eps:
        raise ValueError(f"gates.worst_case_eps: {gates.worst_case_eps:g} must be one of attack.eps {eps}")


class LanguageGates(Gates):
    """`maximum_perplexity` on the test split, per token."""

    maximum_perplexity: Annotated[float, Field(gt=1)] | None = None

    def values(self, scores: Scores, attacks: Scores) -> dict[str, float | None]:
        return {"maximum_perplexity": scores.get("perplexity")}


@dataclass(frozen=True)
class Gate:
    """A limit and the measured value, None where it was not measured: then the gate is not passed."""

    name: str
    limit: float
    value: float | None

    @property
    def passed(self) -> bool:
        if self.value is None:
            return False
        return self.value >= self.limit if self.name.startswith("minimum") else self.value <= self.limit

    def __str__(self) -> str:
        value = "not measured" if self.value is None else f"{self.value:.4g}"
        return f"{self.name} {self.limit:g}: {value}, {'passed' if self.passed else 'failed'}"
