"""Build the folder of the demo page: the page itself, and the networks of runs with examples of their data."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from cvnlp import files, networks
from cvnlp.demo import language, vision
from cvnlp.demo.page_data import PageData, UnsupportedNetworkError, write_page_data
from cvnlp.networks import CONFIG
from cvnlp.params import read_params
from cvnlp.params.runs import LanguageRun, VisionRun
from cvnlp.paths import ProjectPaths
from cvnlp.serving.loading import find_model

PAGE = Path(__file__).parent / "page"
AnyRun = VisionRun | LanguageRun
HALVES: dict[str, "Half"] = {"vision": vision, "language": language}
CONTENTS = "contents.json"  # written last: which networks the folder has


class Half(Protocol):
    """What the page shows of a half."""

    def convert(self, network: Any, config: Any) -> PageData: ...
    def examples(self, data: Path) -> PageData: ...


@dataclass
class Demo:
    """What a page shows: `runs`, and run -> reason of those that it cannot show."""

    folder: Path
    runs: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())


def build(target: Path, runs: Sequence[str] = (), *, root: Path = Path()) -> Demo:
    """Write the page with the networks of `runs`, by default of all runs of the project `root`, into `target`.

    An older page there is replaced when the new one is complete. ValueError for a run that does not exist or is not
    trained, if no run is trained, and for a folder with other content.
    """
    _check(target)
    project, blocks = ProjectPaths(root), read_params(ProjectPaths(root).params).runs
    demo = Demo(target)
    chosen = {run: blocks[run] for run in _chosen(runs, blocks, project, demo)}
    partial = target.absolute().with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        shutil.copytree(PAGE, partial)
        _write_runs(partial, chosen, project, demo)
        shutil.rmtree(target, ignore_errors=True)
        partial.replace(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return demo


def _check(target: Path) -> None:
    """ValueError unless `target` is new, empty, or an older page."""
    if target.exists() and (not target.is_dir() or (any(target.iterdir()) and not (target / CONTENTS).is_file())):
        raise ValueError(f"{target} exists and is no folder of a demo page; name another one")


def _chosen(runs: Sequence[str], blocks: Mapping[str, AnyRun], project: ProjectPaths, demo: Demo) -> list[str]:
    """Names of trained runs; ValueError if there are none."""
    for run in runs:
        if run not in blocks or not _is_trained(run, project):
            find_model(run, project.root)  # the error has the choices
            raise ValueError(f"{run!r} is a folder; the page shows runs of {project.params}")
    if runs:
        return list(dict.fromkeys(runs))
    demo.skipped |= {run: "not trained" for run in blocks if not _is_trained(run, project)}
    if len(demo.skipped) == len(blocks):
        raise ValueError("no run is trained: `make repro`, or `dvc repro train@RUN` for one")
    return [run for run in blocks if run not in demo.skipped]


def _is_trained(run: str, project: ProjectPaths) -> bool:
    return (project.models / run / CONFIG).is_file()


def _write_runs(folder: Path, runs: Mapping[str, AnyRun], project: ProjectPaths, demo: Demo) -> None:
    """Networks and examples, then the list of both; ValueError if the page lacks operations of all networks."""
    shown: list[dict[str, str]] = []
    for run, block in runs.items():
        network, config = networks.load(project.models / run)
        try:
            write_page_data(folder / "models", run, HALVES[block.domain].convert(network.cpu(), config))
        except UnsupportedNetworkError as error:
            demo.skipped[run] = str(error)
            continue
        demo.runs.append(run)
        shown.append({"run": run, "dataset": block.dataset, "domain": block.domain, "network": config.options.name})
    if not shown:
        raise ValueError("; ".join(f"{run}: {reason}" for run, reason in demo.skipped.items()))
    datasets = {one["dataset"]: one["domain"] for one in shown}
    examples = [name for name, half in datasets.items() if _write_examples(folder, name, half, project)]
    files.write_json(folder / CONTENTS, {"runs": shown, "skipped": demo.skipped, "examples": examples})


def _write_examples(folder: Path, dataset: str, half: str, project: ProjectPaths) -> bool:
    """Whether the data set is there: a model can be used without it."""
    data = project.prepared(dataset)
    if not (data / "facts.json").is_file():
        return False
    write_page_data(folder / "examples", dataset, HALVES[half].examples(data))
    return True
