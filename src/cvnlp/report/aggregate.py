"""Aggregation over seeds: mean and spread of the scores of a run with `seeds`, or of runs that differ in it."""

import itertools
import re
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cvnlp import domains, files, provenance
from cvnlp.params.runs import LanguageRun, Run, VisionRun
from cvnlp.paths import ProjectPaths, RunPaths
from cvnlp.report import seed_scores
from cvnlp.report.spread import Spread


@dataclass(frozen=True)
class Size:
    """Size of a network; `multiply_adds` are for one image or token."""

    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class Row:
    """Runs that differ only in their seed; `epochs` and `best_epochs` (from 1) have an entry for each of them.

    `diverged`: at least one of them has no useful scores.

    For runs that are not trained yet, `epochs` are those of params.yaml, and `best_epochs` and `scores` are empty.
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
    diverged: bool = False


def compare(half: str, runs: Mapping[str, Run], paths: ProjectPaths) -> list[Row]:
    """A row for each group of trained runs that differ only in their seed, with the scores of the half's HEADLINE.

    A score that one of the runs lacks is left out. The scores of a run with `seeds` are those of all of them.
    """
    rows = []
    for name, members in group_by_seed(runs).items():
        places = [paths.run(member, runs[member].dataset) for member in members]
        trained = [files.read_scores(place.training) for place in places]
        scored = [files.read_scores(place.scores) for place in places]
        row = Row(
            name=name,
            runs=tuple(members),
            network=runs[members[0]].model.name,
            dataset=runs[members[0]].dataset,
            parameters=trained[0]["parameters"],
            multiply_adds=trained[0]["multiply_adds"],
            epochs=[one["epochs"] for one in trained],
            best_epochs=[one["best_epoch"] + 1 for one in trained],
            scores=_scores(half, places, scored),
            diverged=any(map(domains.DOMAINS[half].metrics.diverged, scored)),
        )
        rows.append(row)
    return rows


def _scores(half: str, places: list[RunPaths], scored: list[dict[str, float]]) -> dict[str, Spread]:
    seeds = seed_scores.read(places[0]) if len(places) == 1 else None
    if seeds is not None:
        return seed_scores.spreads(seeds)
    names = [name for name in domains.DOMAINS[half].metrics.HEADLINE if all(name in one for one in scored)]
    return {name: spread(one[name] for one in scored) for name in names}


def planned(half: str, runs: Mapping[str, VisionRun | LanguageRun], sizes: Mapping[str, Size]) -> list[Row]:
    """A row for each group of runs of the half that differ only in their seed, none of them trained yet."""
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
        for name, members in group_by_seed(own).items()
    ]


def group_by_seed(runs: Mapping[str, Run]) -> dict[str, list[str]]:
    """Groups of runs that differ only in their seed, by the common prefix of their names."""
    groups: dict[str, list[str]] = {}
    for name, run in runs.items():
        groups.setdefault(provenance.digest(run.model_dump(exclude={"seed", "seeds", "tune"})), []).append(name)
    shared = [_common_prefix(members) for members in groups.values()]
    return {
        name if name and shared.count(name) == 1 else ", ".join(members): members
        for name, members in zip(shared, groups.values(), strict=True)
    }


def _common_prefix(names: list[str]) -> str:
    """`cnn` for cnn_1 and cnn_2, and for cnn_10 and cnn_11; a single name is returned as it is."""
    shared = itertools.takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    return names[0] if len(names) == 1 else re.sub(r"_\d*$", "", "".join(letters[0] for letters in shared))


def spread(values: Iterable[float]) -> Spread:
    """Mean, sample standard deviation and count."""
    numbers = list(values)
    return Spread(statistics.fmean(numbers), statistics.stdev(numbers) if len(numbers) > 1 else None, len(numbers))
