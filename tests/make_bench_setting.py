"""A small project for the measures of `make bench` and `make growth`."""

import shutil
from pathlib import Path
from typing import Any

from bench.setting import ROOT, Setting
from bench.small_project import save_untrained
from ruamel.yaml import YAML

from cvnlp.paths import ProjectPaths

SHORT: dict[str, dict[str, Any]] = {
    "cnn": {
        "train": {"epochs": 1},
        "attack": {"eps": [0.1], "images": 4, "examples": 1, "corruptions": None, "targeted": None},
        "insight": {"validation_images": 10, "filters": 2},
    },
    "lstm": {"train": {"epochs": 1, "epoch_tokens": 1024}},
}


def make_setting(root: Path, vision_data: Path, language_data: Path) -> Setting:
    """A project with the default runs `cnn` and `lstm`, made short, and untrained, on the data of the tests."""
    paths, yaml = ProjectPaths(root), YAML(typ="safe")
    params = yaml.load(ROOT / "params.yaml")
    params["runs"] = {name: params["runs"][name] for name in SHORT}
    for name, blocks in SHORT.items():
        for block, keys in blocks.items():
            params["runs"][name][block] |= keys
    with paths.params.open("w", encoding="utf-8") as file:
        yaml.dump(params, file)
    for name, data in (("mnist_sample", vision_data), ("shakespeare", language_data), ("mnist", vision_data)):
        shutil.copytree(data, paths.prepared(name))
    save_untrained(paths, "cnn")
    return Setting(project=root, whole=root, rounds=1)
