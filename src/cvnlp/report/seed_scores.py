"""Scores and learning curves of a run over its seeds, from the files of the stage `seeds` or of `make seeds`."""

from pathlib import Path

import pandas as pd

from cvnlp import domains, files
from cvnlp.paths import ProjectPaths, RunPaths, SeedPaths
from cvnlp.report.spread import Spread
from cvnlp.significance.over_seeds import SeedScores


def read(run: RunPaths) -> SeedScores | None:
    """The scores of the stage `seeds`; None for a run with one seed."""
    if not run.seed_scores.is_file():
        return None
    found = SeedScores.from_json(files.read_json(run.seed_scores))
    return found if len(found.seeds) > 1 else None


def read_or_measured(project: ProjectPaths, run: RunPaths, half: str) -> SeedScores | None:
    """The same, else the main score by `make seeds`, if the present score of the run is among those that it measured.

    Otherwise the run has changed since. The seeds of `make seeds` are unknown, and counted from 1.
    """
    found = read(run)
    if found is not None or not (project.seeds.is_file() and run.scores.is_file()):
        return found
    values = files.read_json(project.seeds).get(run.name, {}).get("scores", [])
    name = domains.DOMAINS[half].main_score.name
    if len(values) < 2 or files.read_scores(run.scores).get(name) not in values:
        return None
    return SeedScores(tuple(range(1, len(values) + 1)), {name: tuple(values)})


def spreads(found: SeedScores) -> dict[str, Spread]:
    """Mean, standard deviation and number of seeds of every score."""
    summary = found.to_json()
    return {name: Spread(summary[name]["mean"], summary[name]["std"], summary[name]["n"]) for name in found.scores}


def histories(run: RunPaths) -> tuple[pd.DataFrame, ...]:
    """A row per epoch, for each of the seeds other than the run's own."""
    folders = sorted(run.seeds.glob("*"), key=_seed)
    return tuple(pd.read_csv(SeedPaths(folder).history) for folder in folders)


def _seed(folder: Path) -> int:
    return int(folder.name)
