"""The tables of benchmarks/: all runs next to published results, with a figure for each data set, and the machines.

Runs that are not trained yet are listed as not run, as are those of larger.yaml, which are too large for the machine.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from cvnlp import domains, files, provenance
from cvnlp.benchmark.machines import machine_table
from cvnlp.benchmark.paths import BenchmarkPaths
from cvnlp.benchmark.tables import Entry, Timing, half_section
from cvnlp.params import Params, read_params
from cvnlp.params.runs import LanguageRun, VisionRun
from cvnlp.paths import ProjectPaths
from cvnlp.report import aggregate, markdown
from cvnlp.report.aggregate import Size
from cvnlp.report.elements import Section, Table, Text

INTRO = (
    "Every score is measured on the test split, data never used for training. Multiply-adds are those of one image or "
    "token."
)
PUBLISHED = ("dataset", "what", "parameters", "metric", "figure", "source")
WHERE = "{device}, {threads} of {processors}"


def read_larger(path: Path, settings: Params) -> Params:
    """Runs too large to train here; ValueError unless each could be moved into the file of `settings` unchanged."""
    larger = read_params(path)
    for name in larger.runs:
        if name in settings.runs:
            raise ValueError(f"{path}: runs.{name} is also in params.yaml, where it is trained; remove it from here")
    for name, dataset in larger.datasets.items():
        if dataset != settings.datasets.get(name):
            raise ValueError(f"{path}: datasets.{name} differs from that of params.yaml; both must be equal")
    return larger


def split_trained(settings: Params, project: ProjectPaths) -> tuple[Params, Params]:
    """The same settings with the runs that have results, and with those of which no seed has."""
    trained = {name: run for name, run in settings.runs.items() if project.run(name, run.dataset).scores.is_file()}
    waiting = {
        name: settings.runs[name]
        for members in aggregate.group_by_seed(settings.runs).values()
        for name in members
        if trained.keys().isdisjoint(members)
    }
    return settings.model_copy(update={"runs": trained}), settings.model_copy(update={"runs": waiting})


def write_tables(
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
    sections, numbers = [], []
    for half in domains.HALVES:
        entries = _entries(half, settings, project, paths)
        entries += [Entry(row) for row in aggregate.planned(half, waiting, sizes)]
        numbers += [_numbers(half, entry) for entry in entries]
        sections += [half_section(half, entries, published, paths)] if entries else []
    machines = Section("Machines and versions", tuple(_machines(settings, project, paths)))
    files.write_table(paths.table, pd.DataFrame(numbers))
    report = Section("Benchmarks", (Text(INTRO), *sections, machines))
    files.write_text(paths.report, markdown.render(report, paths.report.parent))


def configuration(settings: Params, run: str) -> str:
    """A digest of everything that decides how long an epoch takes; a timing of another configuration is not shown."""
    block = settings.runs[run]
    decisive = {
        "domain": block.domain,
        "model": block.model.model_dump(exclude_unset=True),
        "train": block.train.model_dump(exclude={"epochs"}),
    }
    return provenance.digest([decisive, settings.all_datasets[block.dataset].model_dump()])


def _read_published(path: Path) -> pd.DataFrame:
    """As text: results are cited exactly as written."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    if missing := [name for name in PUBLISHED if name not in table]:
        raise ValueError(f"{path}: no column {', '.join(missing)}; columns: {', '.join(PUBLISHED)}")
    return table


def _entries(half: str, settings: Params, project: ProjectPaths, paths: BenchmarkPaths) -> list[Entry]:
    runs = {name: run for name, run in settings.runs.items() if run.domain == half}
    timings = files.read_json(paths.timings)
    entries = []
    for row in aggregate.compare(half, runs, project):
        durations = [files.read_json(project.run(run, row.dataset).durations) for run in row.runs]
        where = ", ".join(sorted({WHERE.format(**one) for one in durations}))
        seconds = aggregate.spread(one["seconds"] for one in durations)
        timing = _timing(timings.get(row.name, {}), configuration(settings, row.runs[0]))
        entries.append(Entry(row, seconds, timing, where))
    return entries


def _timing(measured: Mapping[str, Any], wanted: str) -> Timing | None:
    """None if nothing was measured of the `wanted` configuration."""
    if measured.get("configuration") != wanted:
        return None
    return Timing(measured["seconds_per_epoch"], measured["examples_per_second"])


def _numbers(half: str, entry: Entry) -> dict[str, Any]:
    """A row of the CSV: every score of the half's HEADLINE, unrounded; `seeds` are the trained ones."""
    row, timing = entry.row, entry.timing
    found = {
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
        "seconds_per_epoch": timing.seconds_per_epoch if timing else None,
        "examples_per_second": timing.examples_per_second if timing else None,
    }
    for name, score in row.scores.items():
        found |= {name: score.mean, f"{name}_std": score.std}
    return found


def _machines(settings: Params, project: ProjectPaths, paths: BenchmarkPaths) -> list[Table]:
    trained = [files.read_json(project.run(name, run.dataset).durations) for name, run in settings.runs.items()]
    timed = files.read_json(paths.timings).values()
    return [
        machine_table("Trainings", trained),
        *([machine_table("Measurements of the seconds per epoch", timed)] if timed else []),
    ]
