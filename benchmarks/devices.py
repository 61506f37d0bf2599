"""The default trainings of `cnn` and `lstm` with one process and with several: `make devices`.

    python benchmarks/devices.py [--processes 1 2] [--accelerator cpu] [--runs cnn lstm] [--document docs/devices.md]

Each training is the stage `train` with its own launch settings, in a project of its own, and the stage `evaluate`
scores its model. Writes a JSON file, and the table of docs/devices.md. Processes on the CPU share its cores: the
machine should be idle and have a core for each.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from bench import memory
from bench.documents import write_section
from bench.processes import measure, python
from bench.runner import machine
from bench.setting import ROOT, NotMeasuredError, Setting
from bench.small_project import small_project
from pydantic import BaseModel, ConfigDict

from cvnlp import domains, files
from cvnlp.launch.settings import choose
from cvnlp.paths import ProjectPaths

OUT = Path(__file__).parent / "reports/devices.json"


class Trained(BaseModel):
    """A training with a number of processes: steps per second of its epochs, last losses, and the test score."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: str
    accelerator: str
    processes: int
    steps_per_second: float
    first_loss: float
    last_loss: float
    validation: float
    metric: str
    score: float


def train(setting: Setting, run: str, *, accelerator: str, processes: int) -> Trained:
    """Train and score the run with these launch settings."""
    block = setting.run(run)
    variables: dict[str, str] = {}
    choose(variables, accelerator=accelerator, devices=processes)
    with small_project(setting, run) as folder:
        measure(python("-m", "cvnlp.stages.train", "--run", run), folder, DVC_ROOT=str(folder), **variables)
        memory.run_stage(folder, "evaluate", run)
        paths = ProjectPaths(folder).run(run, block.dataset)
        history, seconds = pd.read_csv(paths.history), files.read_json(paths.durations)["seconds"]
        metric = domains.DOMAINS[block.domain].main_score.name
        return Trained(
            run=run,
            accelerator=accelerator,
            processes=processes,
            steps_per_second=float(history["step"].iloc[-1]) / seconds,
            first_loss=float(history["train_loss"].iloc[0]),
            last_loss=float(history["train_loss"].iloc[-1]),
            validation=float(history["validation_nll"].min()),
            metric=metric,
            score=float(files.read_scores(paths.scores)[metric]),
        )


def table(found: Sequence[Trained]) -> str:
    """A Markdown table with a row for each training."""
    losses = ("loss of the first and last epoch", "best validation loss", "test score")
    columns = ("run", "device", "processes", "steps/s", "speed-up", *losses)
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for one in found:
        alone = next(other for other in found if other.run == one.run)
        lines.append(
            f"| `{one.run}` | {one.accelerator} | {one.processes} | {one.steps_per_second:.1f} "
            f"| {one.steps_per_second / alone.steps_per_second:.2f} | {one.first_loss:.4f}, {one.last_loss:.4f} "
            f"| {one.validation:.4f} | {one.metric} {one.score:.4f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--accelerator", default="cpu")
    parser.add_argument("--runs", nargs="+", default=["cnn", "lstm"])
    parser.add_argument("--out", type=Path, default=OUT, help="the JSON file that is written (default: %(default)s)")
    parser.add_argument("--document", type=Path, help="a document whose table is written, such as docs/devices.md")
    parser.add_argument("--project", type=Path, default=ROOT, help="folder of the default pipeline and its data")
    given = parser.parse_args()
    setting, found = Setting(project=given.project.resolve()), []
    try:
        for run in given.runs:
            for processes in given.processes:
                found.append(train(setting, run, accelerator=given.accelerator, processes=processes))
                print(found[-1], file=sys.stderr, flush=True)
    except NotMeasuredError as error:
        sys.exit(f"error: {error}")
    files.write_json(given.out, {"machine": machine(), "trainings": [one.model_dump() for one in found]})
    print(table(found))
    if given.document:
        write_section(given.document, "devices", f"\n{table(found)}\n")


if __name__ == "__main__":
    main()
