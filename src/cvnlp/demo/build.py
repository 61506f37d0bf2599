"""Build the folder of the demo page: the page itself, and the networks of runs with examples of their data."""

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from cvnlp import files, networks
from cvnlp.demo import language, vision
from cvnlp.demo.page_data import PageData, UnsupportedNetworkError, write_page_data
from cvnlp.networks import CONFIG
from cvnlp.params import read_params
from cvnlp.paths import ProjectPaths
from cvnlp.serving.loading import find_model

PAGE = Path(__file__).parent / "page"
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
    chosen = _chosen(runs, root)
    _check(target)
    demo = Demo(target, skipped=dict(_untrained(root)) if not runs else {})
    partial = target.absolute().with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        _fill(partial, chosen, demo, root)
        shutil.rmtree(target, ignore_errors=True)
        partial.replace(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return demo


def _chosen(runs: Sequence[str], root: Path) -> list[str]:
    """Names of trained runs; ValueError if there are none."""
    known = read_params(ProjectPaths(root).params).runs
    for run in runs:
        if find_model(run, root).parent != ProjectPaths(root).models:
            raise ValueError(f"{run!r} is a folder; the page shows runs of {ProjectPaths(root).params}")
    skipped = dict(_untrained(root))
    chosen = list(dict.fromkeys(runs)) or [run for run in known if run not in skipped]
    if not chosen:
        raise ValueError("no run is trained: `make repro`, or `dvc repro train@RUN` for one")
    return chosen


def _untrained(root: Path) -> Iterator[tuple[str, str]]:
    project = ProjectPaths(root)
    for run in read_params(project.params).runs:
        if not (project.models / run / CONFIG).is_file():
            yield run, "not trained"


def _check(target: Path) -> None:
    """ValueError unless `target` is new, empty, or an older page."""
    if target.exists() and (not target.is_dir() or (any(target.iterdir()) and not (target / CONTENTS).is_file())):
        raise ValueError(f"{target} exists and is no folder of a demo page; name another one")


def _fill(folder: Path, runs: Sequence[str], demo: Demo, root: Path) -> None:
    shutil.copytree(PAGE, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    blocks = read_params(ProjectPaths(root).params).runs
    shown: list[dict[str, Any]] = []
    datasets: dict[str, str] = {}
    for run in runs:
        dataset, half = blocks[run].dataset, blocks[run].domain
        network, config = networks.load(ProjectPaths(root).models / run)
        try:
            write_page_data(folder / "models", run, HALVES[half].convert(network.cpu(), config))
        except UnsupportedNetworkError as error:
            demo.skipped[run] = str(error)
            continue
        demo.runs.append(run)
        datasets[dataset] = half
        shown.append({"run": run, "dataset": dataset, "domain": half, "network": config.options.name})
    examples = [dataset for dataset, half in datasets.items() if _write_examples(folder, dataset, half, root)]
    content = {"runs": shown, "skipped": demo.skipped, "examples": examples}
    files.write_json(folder / CONTENTS, content)


def _write_examples(folder: Path, dataset: str, half: str, root: Path) -> bool:
    """Whether the data set is there: a model can be used without it."""
    data = ProjectPaths(root).prepared(dataset)
    if not (data / "facts.json").is_file():
        return False
    write_page_data(folder / "examples", dataset, HALVES[half].examples(data))
    return True
