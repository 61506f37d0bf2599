"""A project in a temporary folder with one run of the default pipeline, its prepared data and its model."""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from bench.setting import Setting
from cvnlp import networks
from cvnlp.data import prepared
from cvnlp.params import read_params
from cvnlp.paths import ProjectPaths


@contextlib.contextmanager
def small_project(
    setting: Setting, name: str, *, data: Path | None = None, changes: Mapping[str, Mapping[str, Any]] | None = None
) -> Iterator[Path]:
    """Yield the folder. `data`: prepared data instead of those of the run; `changes`: block of the run -> keys.

    The model is untrained: the stages after training take as long, and no training has to be waited for.
    """
    yaml = YAML(typ="safe")
    params = yaml.load(setting.project / "params.yaml")
    block = params["runs"][name]
    for part, keys in (changes or {}).items():
        block[part] = block[part] | keys
    dataset = block["dataset"]
    with tempfile.TemporaryDirectory() as folder:
        paths = ProjectPaths(Path(folder))
        with paths.params.open("w", encoding="utf-8") as file:
            yaml.dump({"datasets": {dataset: params["datasets"][dataset]}, "runs": {name: block}}, file)
        paths.prepared(dataset).parent.mkdir(parents=True)
        paths.prepared(dataset).symlink_to(data or setting.prepared(dataset))
        save_untrained(paths, name)
        yield paths.root


def save_untrained(paths: ProjectPaths, name: str) -> None:
    """Save the network of a run with its initial weights, as its model."""
    run = read_params(paths.params).runs[name]
    config = networks.describe(run.domain, run.model, prepared.read_facts(paths.prepared(run.dataset)))
    networks.save(paths.models / name, networks.build(config, seed=run.seed), config)
