"""What the chapters and the summary of a report are made of: the results of the runs, and the elements about them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cvnlp import domains, files
from cvnlp.params.runs import LanguageRun, VisionRun
from cvnlp.paths import ProjectPaths, RunPaths
from cvnlp.report.elements import ConfusionMatrix, Element, Figure, Pictures, Section, Stepper
from cvnlp.report.sentences import compared, listed, percent
from cvnlp.significance.difference import Difference

Scores = Mapping[str, float]
Drawings = Mapping[Path, Element]  # path of a drawing -> the element that shows it


@dataclass(frozen=True)
class RunResults:
    """The scores of one run, read when they are first used."""

    name: str
    block: VisionRun | LanguageRun
    paths: RunPaths

    @property
    def network(self) -> str:
        return str(self.block.model.name)

    @cached_property
    def scores(self) -> Scores:
        return files.read_scores(self.paths.scores)

    @cached_property
    def attacks(self) -> Scores:
        return files.read_scores(self.paths.attacks)

    @cached_property
    def insights(self) -> Scores:
        return files.read_scores(self.paths.insights)

    @cached_property
    def training(self) -> Scores:
        return files.read_scores(self.paths.training)

    @property
    def score(self) -> float:
        """The main score on the test split."""
        return float(self.scores[domains.DOMAINS[self.block.domain].main_score.name])

    def difference(self, other: "RunResults") -> Difference:
        """From another run on the same test split: paired by example if both have saved their results."""
        room = domains.DOMAINS[self.block.domain].comparison
        first, second = (room.read_examples(run.paths.evaluation, run.scores) for run in (self, other))
        if first is None or second is None:
            return room.unpaired_difference(self.scores, other.scores)
        return first.difference(second)

    def against(self, other: "RunResults") -> str:
        """A clause: better or worse than `other`, by how much, and whether that may be random."""
        score = domains.DOMAINS[self.block.domain].main_score
        found, points = self.difference(other), score.higher_is_better
        return compared(self.name, other.name, found, higher_is_better=score.higher_is_better, points=points)


@dataclass(frozen=True)
class Results:
    """The runs of one half in the order of params.yaml, and the elements that sections of the report have drawn.

    `lines`: run -> the line of its block in params.yaml.
    """

    runs: tuple[RunResults, ...]
    drawn: Drawings
    paths: ProjectPaths
    lines: Mapping[str, int]

    def first(self, *networks: str) -> RunResults | None:
        """The first run of the first of these networks that has runs."""
        return next((run for name in networks for run in self.runs if run.network == name), None)

    def best(self, runs: Iterable[RunResults]) -> RunResults | None:
        """The run with the best main score; runs of different data sets are not comparable."""
        found = list(runs)
        if not found:
            return None
        score = domains.DOMAINS[found[0].block.domain].main_score
        choose: Callable[..., RunResults] = max if score.higher_is_better else min
        return choose(found, key=lambda run: run.score)

    def largest_group(self) -> list[RunResults]:
        """The runs of the data set that most runs share."""
        groups = [self.on(name) for name in dict.fromkeys(run.block.dataset for run in self.runs)]
        return max(groups, key=len, default=[])

    def ranking(self, runs: list[RunResults]) -> str:
        """Sentences: the best of the runs of one data set, and those that may be as good."""
        best = self.best(runs)
        if best is None:
            return ""
        score = domains.DOMAINS[best.block.domain].main_score
        others = [run for run in runs if run is not best]
        close = [run.name for run in others if best.difference(run).random]
        shown = percent(best.score) if score.higher_is_better else f"{best.score:.4f}"
        text = f"On {best.block.dataset}, {best.name} has the best {score.title} of {len(runs)} runs: {shown}."
        if close:
            text += f" The difference to {listed(close)} may be random."
        elif others:
            text += " Its difference to every other run is more than chance."
        return text

    def on(self, dataset: str) -> list[RunResults]:
        return [run for run in self.runs if run.block.dataset == dataset]

    def shown(self, run: RunResults | None, *names: str) -> tuple[Element, ...]:
        """The elements of a run whose drawings have these names, as far as they exist."""
        folder = run.paths.figures if run else None
        return tuple(self.drawn[folder / name] for name in names if folder and folder / name in self.drawn)

    def overall(self, folder: str, *names: str) -> tuple[Element, ...]:
        """The same of a folder of figures that belongs to all runs."""
        paths = (self.paths.figures / folder / name for name in names)
        return tuple(self.drawn[path] for path in paths if path in self.drawn)


def drawn(section: Section) -> dict[Path, Element]:
    """All drawings of a section and of those inside it."""
    found: dict[Path, Element] = {}
    for element in section.elements:
        if isinstance(element, Section):
            found |= drawn(element)
        elif path := drawing_of(element):
            found[path] = element
    return found


def drawing_of(element: Element) -> Path | None:
    """The file of the first picture of an element, or the path of a stepper, if it has one."""
    if isinstance(element, Stepper):
        return element.path
    figure = element.figure if isinstance(element, (Pictures, ConfusionMatrix)) else element
    return figure.images[0].path if isinstance(figure, Figure) else None
