"""Runs that differ in nothing but their seed, taken together: what they are, what they cost, how they scored."""

import itertools
import re
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cvnlp import domains, files, provenance
from cvnlp.params.runs import LanguageRun, Run, VisionRun
from cvnlp.paths import ProjectPaths


@dataclass(frozen=True)
class Spread:
    """A number over seeds; `std` is the sample's (n - 1), None of a single run."""

    mean: float
    std: float | None
    count: int

    def __str__(self) -> str:
        return self.shown(4 if abs(self.mean) < 10 else 1)

    def shown(self, decimals: int) -> str:
        """`94.35 ± 0.08 (3)`: mean, standard deviation, seeds; of a single run its number alone."""
        if self.std is None:
            return f"{self.mean:,.{decimals}f}"
        return f"{self.mean:,.{decimals}f} ± {self.std:,.{decimals}f} ({self.count})"

    def scaled(self, factor: float) -> "Spread":
        return Spread(self.mean * factor, None if self.std is None else self.std * factor, self.count)


@dataclass(frozen=True)
class Size:
    """Of a network; `multiply_adds` are of one picture or token."""

    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class Row:
    """Runs that differ in nothing but their seed; `epochs` and `best_epochs` (from 1) are of each of them.

    Of runs that were not trained `epochs` are those asked for, and there are no `best_epochs` and no `scores`.
    """

    name: str
    runs: tuple[str, ...]
    network: str
    dataset: str
    parameters: int
    multiply_adds: int
    epochs: list[int]
    best_epochs: list[int]
    scores: dict[str, Spread]


def compare(half: str, runs: Mapping[str, Run], paths: ProjectPaths) -> list[Row]:
    """A row for all runs that differ in nothing but their seed, with every score of the half's HEADLINE."""
    rows = []
    for name, members in seeds(runs).items():
        places = [paths.run(member, runs[member].dataset) for member in members]
        trained = [files.read_json(place.training) for place in places]
        scored = [files.read_json(place.scores) for place in places]
        row = Row(
            name=name,
            runs=tuple(members),
            network=runs[members[0]].model.name,
            dataset=runs[members[0]].dataset,
            parameters=trained[0]["parameters"],
            multiply_adds=trained[0]["multiply_adds"],
            epochs=[one["epochs"] for one in trained],
            best_epochs=[one["best_epoch"] + 1 for one in trained],
            scores={
                score: spread(one[score] for one in scored)
                for score in domains.DOMAINS[half].metrics.HEADLINE
                if all(score in one for one in scored)
            },
        )
        rows.append(row)
    return rows


def planned(half: str, runs: Mapping[str, VisionRun | LanguageRun], sizes: Mapping[str, Size]) -> list[Row]:
    """A row for all runs of the half that differ in nothing but their seed, none of them trained."""
    own = {name: run for name, run in runs.items() if run.domain == half}
    return [
        Row(
            name=name,
            runs=tuple(members),
            network=own[members[0]].model.name,
            dataset=own[members[0]].dataset,
            parameters=sizes[members[0]].parameters,
            multiply_adds=sizes[members[0]].multiply_adds,
            epochs=[own[member].train.epochs for member in members],
            best_epochs=[],
            scores={},
        )
        for name, members in seeds(own).items()
    ]


def seeds(runs: Mapping[str, Run]) -> dict[str, list[str]]:
    """The runs that differ in nothing but their seed, by the beginning that their names share."""
    alike: dict[str, list[str]] = {}
    for name, run in runs.items():
        alike.setdefault(provenance.digest(run.model_dump(exclude={"seed"})), []).append(name)
    shared = [_beginning(members) for members in alike.values()]
    return {
        name if name and shared.count(name) == 1 else ", ".join(members): members
        for name, members in zip(shared, alike.values(), strict=True)
    }


def _beginning(names: list[str]) -> str:
    """`cnn` of cnn_1 and cnn_2, and of cnn_10 and cnn_11; a single name as it is."""
    alike = itertools.takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    return names[0] if len(names) == 1 else re.sub(r"_\d*$", "", "".join(letters[0] for letters in alike))


def spread(values: Iterable[float]) -> Spread:
    numbers = list(values)
    return Spread(statistics.fmean(numbers), statistics.stdev(numbers) if len(numbers) > 1 else None, len(numbers))
