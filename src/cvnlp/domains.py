"""The two halves, vision and language, behind one typed interface.

A half is a package with the same rooms as the other and the same public names in each. The protocols below are those
names; mypy checks both packages against them. A room is imported when first used: some stages need no torch.
"""

import importlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from fastapi import APIRouter
    from torch import nn

    from cvnlp.data.prepared import Facts
    from cvnlp.export.portable import Description, Portable
    from cvnlp.language.serving import LanguageModel
    from cvnlp.params.network_config import ImageFormat, TextFormat
    from cvnlp.paths import RunPaths
    from cvnlp.report.comparison import Robustness
    from cvnlp.report.elements import Element, Section
    from cvnlp.report.learning import LearningCurves
    from cvnlp.report.results import Results
    from cvnlp.significance.difference import Difference, Estimate, Examples
    from cvnlp.training.base_task import BaseTask
    from cvnlp.vision.serving import ImageClassifier

HALVES = ("vision", "language")


@dataclass(frozen=True)
class AttackResult:
    """What an attack has shown. `scores`: flat, name -> number; `metrics`: the names of those that DVC and MLflow show;
    `table`: a row per attack and strength; `seconds`: attack -> its time, which is no result.
    """

    scores: dict[str, float]
    metrics: list[str]
    table: "pd.DataFrame"
    seconds: dict[str, float]


class Data(Protocol):
    def prepare(self, raw: Path, folder: Path, options: Any) -> "Facts": ...


class Models(Protocol):
    @property
    def MODELS(self) -> Mapping[str, "Callable[[Any, Any], nn.Module]"]: ...  # noqa: N802  (a constant of the module)
    def multiply_adds(self, network: Any) -> int: ...
    def input_format(self, facts: Any) -> "ImageFormat | TextFormat": ...


class Training(Protocol):
    def Task(self, network: Any, options: Any, *, folder: Path, seed: int) -> "BaseTask": ...  # noqa: N802  (a class)
    def GradientFreeTask(self, network: Any, options: Any, *, folder: Path, seed: int) -> "BaseTask": ...  # noqa: N802


class Evaluation(Protocol):
    def evaluate(self, network: Any, data: Path, facts: Any, options: Any, details: Path) -> dict[str, float]: ...


class Attacks(Protocol):
    def attack(self, network: Any, data: Path, facts: Any, options: Any, folder: Path) -> "AttackResult": ...


class Insight(Protocol):
    @property
    def METRICS(self) -> Collection[str]: ...  # noqa: N802
    def analyse(
        self, network: Any, untrained: Any, data: Path, facts: Any, options: Any, folder: Path
    ) -> dict[str, float]: ...


class Inference(Protocol):
    def predict(self, network: Any, config: Any, inputs: "np.ndarray") -> "np.ndarray": ...


class Serving(Protocol):
    @property
    def PAGE(self) -> Path: ...  # noqa: N802
    def Model(self, network: Any, config: Any) -> "ImageClassifier | LanguageModel": ...  # noqa: N802  (a class)
    def routes(self, model: Any) -> "APIRouter": ...
    def answer_table(self, model: Any, rows: Sequence[Any], params: Mapping[str, Any]) -> "pd.DataFrame": ...
    def portable(self, model: Any) -> "Portable": ...
    def describe(self, model: Any) -> "Description": ...


class Comparison(Protocol):
    @property
    def SCORE(self) -> str: ...  # noqa: N802
    @property
    def HIGHER_IS_BETTER(self) -> bool: ...  # noqa: N802
    def read_examples(self, details: Path, scores: Mapping[str, float]) -> "Examples | None": ...
    def example_count(self, scores: Mapping[str, float]) -> int: ...
    def estimate(self, scores: Mapping[str, float]) -> "Estimate": ...
    def unpaired_difference(self, first: Mapping[str, float], second: Mapping[str, float]) -> "Difference": ...


class Metrics(Protocol):
    @property
    def METRICS(self) -> Collection[str]: ...  # noqa: N802
    @property
    def HEADLINE(self) -> Mapping[str, tuple[str, bool]]: ...  # noqa: N802
    @property
    def COMPARED(self) -> Mapping[str, tuple[str, float]]: ...  # noqa: N802
    @property
    def EXAMPLES(self) -> str: ...  # noqa: N802
    def diverged(self, scores: Mapping[str, float]) -> bool: ...


class Report(Protocol):
    @property
    def TITLE(self) -> str: ...  # noqa: N802
    @property
    def LEARNING(self) -> "LearningCurves": ...  # noqa: N802
    @property
    def ROBUSTNESS(self) -> "Robustness": ...  # noqa: N802
    def data_section(self, data: Path, facts: Any, folder: Path) -> "list[Element]": ...
    def run_section(self, details: Path, attacked: Path, folder: Path, *, data: Path) -> "list[Element]": ...
    def insight_section(self, details: Path, folder: Path) -> "list[Element]": ...
    def robustness_section(
        self, runs: "Mapping[str, RunPaths]", blocks: Mapping[str, Any], folder: Path
    ) -> "list[Element]": ...
    def comparison_section(
        self, learned: Mapping[str, Path], groups: Mapping[str, str], folder: Path
    ) -> "list[Element]": ...
    def chapters(self, results: "Results") -> "list[Section]": ...
    def findings(self, results: "Results") -> "list[str]": ...


class MainScore(NamedTuple):
    name: str  # in the files of scores of the test split
    title: str
    higher_is_better: bool


@dataclass(frozen=True)
class Domain:
    """One half, by the name that params.yaml gives it."""

    name: str

    def _room(self, name: str) -> Any:
        return importlib.import_module(f"cvnlp.{self.name}.{name}")

    @property
    def data(self) -> Data:
        room: Data = self._room("data")
        return room

    @property
    def models(self) -> Models:
        room: Models = self._room("models")
        return room

    @property
    def training(self) -> Training:
        room: Training = self._room("training")
        return room

    @property
    def evaluation(self) -> Evaluation:
        room: Evaluation = self._room("evaluation")
        return room

    @property
    def attacks(self) -> Attacks:
        room: Attacks = self._room("attacks")
        return room

    @property
    def insight(self) -> Insight:
        room: Insight = self._room("insight")
        return room

    @property
    def inference(self) -> Inference:
        room: Inference = self._room("inference")
        return room

    @property
    def serving(self) -> Serving:
        room: Serving = self._room("serving")
        return room

    @property
    def comparison(self) -> Comparison:
        room: Comparison = self._room("comparison")
        return room

    @property
    def metrics(self) -> Metrics:
        room: Metrics = self._room("metrics")
        return room

    @property
    def report(self) -> Report:
        room: Report = self._room("report")
        return room

    @property
    def main_score(self) -> MainScore:
        """The first of the half's headline scores, by which its runs are compared."""
        name, (title, higher_is_better) = next(iter(self.metrics.HEADLINE.items()))
        return MainScore(name, title, higher_is_better)


DOMAINS = {name: Domain(name) for name in HALVES}


if TYPE_CHECKING:
    import cvnlp.language.attacks
    import cvnlp.language.comparison
    import cvnlp.language.data
    import cvnlp.language.evaluation
    import cvnlp.language.inference
    import cvnlp.language.insight
    import cvnlp.language.metrics
    import cvnlp.language.models
    import cvnlp.language.report
    import cvnlp.language.serving
    import cvnlp.language.training
    import cvnlp.vision.attacks
    import cvnlp.vision.comparison
    import cvnlp.vision.data
    import cvnlp.vision.evaluation
    import cvnlp.vision.inference
    import cvnlp.vision.insight
    import cvnlp.vision.metrics
    import cvnlp.vision.models
    import cvnlp.vision.report
    import cvnlp.vision.serving
    import cvnlp.vision.training

    _data: tuple[Data, ...] = (cvnlp.vision.data, cvnlp.language.data)
    _models: tuple[Models, ...] = (cvnlp.vision.models, cvnlp.language.models)
    _training: tuple[Training, ...] = (cvnlp.vision.training, cvnlp.language.training)
    _evaluation: tuple[Evaluation, ...] = (cvnlp.vision.evaluation, cvnlp.language.evaluation)
    _attacks: tuple[Attacks, ...] = (cvnlp.vision.attacks, cvnlp.language.attacks)
    _insight: tuple[Insight, ...] = (cvnlp.vision.insight, cvnlp.language.insight)
    _inference: tuple[Inference, ...] = (cvnlp.vision.inference, cvnlp.language.inference)
    _serving: tuple[Serving, ...] = (cvnlp.vision.serving, cvnlp.language.serving)
    _comparison: tuple[Comparison, ...] = (cvnlp.vision.comparison, cvnlp.language.comparison)
    _metrics: tuple[Metrics, ...] = (cvnlp.vision.metrics, cvnlp.language.metrics)
    _report: tuple[Report, ...] = (cvnlp.vision.report, cvnlp.language.report)
