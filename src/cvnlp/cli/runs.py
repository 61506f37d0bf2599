"""`cvnlp runs`: the runs of params.yaml, whether they are trained, and their scores."""

import datetime
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cvnlp.cli.options import Json, Root
from cvnlp.paths import ProjectPaths, RunPaths

if TYPE_CHECKING:
    from cvnlp.params.runs import LanguageRun, VisionRun

MISSING, TRAINED, STALE, UNVERIFIED = "missing", "trained", "stale", "unverified"


@dataclass(frozen=True)
class RunState:
    """`score` on the test split, whose name is `metric`, if the run is evaluated; `date`: the end of its training.

    `mean`, `std` and `n` of this score if the run has several seeds.
    """

    run: str
    model: str
    dataset: str
    state: str
    metric: str | None
    score: float | None
    date: str | None
    mean: float | None = None
    std: float | None = None
    n: int = 1

    @property
    def shown(self) -> str:
        from cvnlp.report.spread import Spread

        spread = self.score if self.mean is None else Spread(self.mean, self.std, self.n)
        return "" if spread is None else f"{self.metric} {spread:.4f}"


def runs(as_json: Json = False, root: Root = Path()) -> None:
    """List the runs of params.yaml: state, test score, date of the training.

    trained: by the present params, data and code; stale: by others, so that `dvc repro` trains it again; unverified:
    the model has no record of its training here, as in a clone that has pulled it; missing: not trained. The score of
    a run with several seeds is mean ± standard deviation (number of seeds).
    """
    found = list(_states(ProjectPaths(root)))
    if as_json:
        print(json.dumps([asdict(state) for state in found], indent=1))
        return
    from tabulate import tabulate

    rows = [
        {
            "run": state.run,
            "model": state.model,
            "data set": state.dataset,
            "state": state.state,
            "test score": state.shown,
            "trained on": state.date or "",
        }
        for state in found
    ]
    print(tabulate(rows, headers="keys"))


def _states(project: ProjectPaths) -> Iterator[RunState]:
    from cvnlp import domains, files
    from cvnlp.params import read_params
    from cvnlp.report import seed_scores

    for name, block in read_params(project.params).runs.items():
        paths = project.run(name, block.dataset)
        state, date = _training(block, paths)
        metric, score = None, None
        if paths.scores.is_file():
            metric = domains.DOMAINS[block.domain].main_score.name
            score = files.read_scores(paths.scores).get(metric)
        found = RunState(name, block.model.name, block.dataset, state, metric, score, date)
        seeds = seed_scores.read(paths)
        if seeds and metric and metric in seeds.scores:
            spread = seed_scores.spreads(seeds)[metric]
            found = replace(found, mean=spread.mean, std=spread.std, n=spread.count)
        yield found


def _training(block: "VisionRun | LanguageRun", paths: RunPaths) -> tuple[str, str | None]:
    """The state of the model, and the day of its training."""
    from cvnlp import provenance
    from cvnlp.tracking import training_record

    if not (paths.model / "config.json").is_file():
        return MISSING, None
    record = training_record.read(paths, provenance.model_digest(paths.model))
    if record is None:
        return UNVERIFIED, None
    date = datetime.datetime.fromtimestamp(record.ended).astimezone().isoformat(sep=" ", timespec="minutes")[:16]
    if not (paths.prepared / "facts.json").is_file():
        return UNVERIFIED, date
    same = record.tags.get("training") == provenance.training_fingerprint(block, paths.prepared)
    return (TRAINED if same else STALE), date
