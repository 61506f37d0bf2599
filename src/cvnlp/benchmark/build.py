"""The runs of a params.yaml beside published figures: tables, a figure for each data set, machines and versions.

What is not trained yet, and the runs of a second file of the same form, too large for the machine, stand among them as
not run.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from cvnlp import domains, files, provenance
from cvnlp.benchmark.tables import Entry, half_report
from cvnlp.params import Params, read_params
from cvnlp.params.runs import LanguageRun, VisionRun
from cvnlp.paths import BenchmarkPaths, ProjectPaths
from cvnlp.report import aggregate
from cvnlp.report.aggregate import Size

INTRO = (
    "Every score is of the test split, which no training has seen: the mean, after ± the standard deviation of the "
    "sample, in brackets the number of seeds. Multiply-adds are those of one picture or token, read once."
)
PUBLISHED = ("dataset", "what", "parameters", "metric", "figure", "source")
WHERE = "{device}, {threads} of {processors}"
PLACE = (
    "{processor} (processors: {processors}, threads: {threads}), device {device}, {system}, "
    "torch {torch}, Python {python}"
)


def read_larger(path: Path, settings: Params) -> Params:
    """The runs that are not trained; ValueError unless one could move into the file of `settings` as it stands."""
    larger = read_params(path)
    for name in larger.runs:
        if name in settings.runs:
            raise ValueError(f"{path}: runs.{name} is trained, for it stands in params.yaml; take it out of here")
    for name, dataset in larger.datasets.items():
        if dataset != settings.datasets.get(name):
            raise ValueError(f"{path}: datasets.{name} is not that of params.yaml; let it say the same there and here")
    return larger


def split_trained(settings: Params, project: ProjectPaths) -> tuple[Params, Params]:
    """The same settings with the runs that have results, and with those of which no seed has."""
    trained = {name: run for name, run in settings.runs.items() if project.run(name, run.dataset).scores.is_file()}
    waiting = {
        name: settings.runs[name]
        for members in aggregate.seeds(settings.runs).values()
        for name in members
        if trained.keys().isdisjoint(members)
    }
    return settings.model_copy(update={"runs": trained}), settings.model_copy(update={"runs": waiting})


def write_comparison(
    settings: Params,
    project: ProjectPaths,
    paths: BenchmarkPaths,
    waiting: Mapping[str, VisionRun | LanguageRun],
    sizes: Mapping[str, Size],
) -> None:
    """Write the tables as Markdown and as CSV, and a figure for each data set.

    The runs of `settings` have results; those `waiting`, whose networks have these `sizes`, have none.
    """
    published = _read_published(paths.published)
    lines, numbers = ["# Benchmarks", "", INTRO, ""], []
    for half in domains.HALVES:
        entries = _entries(half, settings, project, paths)
        entries += [Entry(row, None, {}) for row in aggregate.planned(half, waiting, sizes)]
        numbers += [_numbers(half, entry) for entry in entries]
        lines += half_report(half, entries, published, paths) if entries else []
    lines += ["## Machines and versions", "", *_machines(settings, project, paths)]
    files.write_table(paths.table, pd.DataFrame(numbers))
    files.write_text(paths.report, "\n".join(lines).rstrip() + "\n")


def configuration(settings: Params, run: str) -> str:
    """A digest of all that decides how long an epoch takes: what was measured of another is worth nothing."""
    block = settings.runs[run]
    decisive = {
        "domain": block.domain,
        "model": block.model.model_dump(exclude_unset=True),
        "train": block.train.model_dump(exclude={"epochs"}),
    }
    return provenance.digest([decisive, settings.all_datasets[block.dataset].model_dump()])


def _read_published(path: Path) -> pd.DataFrame:
    """As text: figures are cited as they stand there."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    if missing := [name for name in PUBLISHED if name not in table]:
        raise ValueError(f"{path}: no column {', '.join(missing)}; columns: {', '.join(PUBLISHED)}")
    return table


def _entries(half: str, settings: Params, project: ProjectPaths, paths: BenchmarkPaths) -> list[Entry]:
    runs = {name: run for name, run in settings.runs.items() if run.domain == half}
    timings = files.read_json(paths.timings)
    entries = []
    for row in aggregate.compare(half, runs, project):
        spent = [files.read_json(project.run(run, row.dataset).durations) for run in row.runs]
        where = ", ".join(sorted({WHERE.format(**one) for one in spent}))
        timing = timings.get(row.name, {})
        valid = timing.get("configuration") == configuration(settings, row.runs[0])
        entries.append(Entry(row, aggregate.spread(one["seconds"] for one in spent), timing if valid else {}, where))
    return entries


def _numbers(half: str, entry: Entry) -> dict[str, Any]:
    """A line of the CSV: every score of the half's HEADLINE, unrounded; of what is not run no seed was trained."""
    row = entry.row
    about = {
        "domain": half,
        "dataset": row.dataset,
        "run": row.name,
        "network": row.network,
        "seeds": len(row.runs) if entry.seconds else 0,
        "parameters": row.parameters,
        "multiply_adds": row.multiply_adds,
        "epochs": aggregate.spread(row.epochs).mean,
        "seconds": entry.seconds.mean if entry.seconds else None,
        "trained_on": entry.where or None,
    }
    about |= {name: entry.timing.get(name) for name in ("seconds_per_epoch", "examples_per_second")}
    for name, score in row.scores.items():
        about |= {name: score.mean, f"{name}_std": score.std}
    return about


def _machines(settings: Params, project: ProjectPaths, paths: BenchmarkPaths) -> list[str]:
    """What was measured where and by which code, as a list; equal places are one line."""
    trained = [files.read_json(project.run(name, run.dataset).durations) for name, run in settings.runs.items()]
    lines = ["Trainings:", "", *_places(trained, "run"), ""]
    timed = files.read_json(paths.timings).values()
    return [*lines, "Seconds per epoch:", "", *_places(timed, "measurement"), ""] if timed else lines


def _places(measured: Iterable[dict[str, Any]], what: str) -> list[str]:
    found = defaultdict(list)
    for one in measured:
        found[PLACE.format(**one)].append(one)
    lines = []
    for place, members in found.items():
        days = sorted(one["date"][:10] for one in members)
        commits = ", ".join(sorted({_commit(one) for one in members}))
        lines.append(f"- {len(members)} {what}{'s' * (len(members) > 1)}: {place}; {days[0]} to {days[-1]}; {commits}")
    return lines


def _commit(one: dict[str, Any]) -> str:
    return f"commit {one['commit'][:8]}{' with changes' * one['changed']}" if "commit" in one else "no commit"
