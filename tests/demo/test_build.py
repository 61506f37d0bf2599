"""The folder of the demo page: its files, the networks in them, and what is refused."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cvnlp import networks
from cvnlp.data.prepared import load_array
from cvnlp.demo import build as module
from cvnlp.demo.build import PAGE, build
from cvnlp.demo.language.ngram import LARGE, convert_ngram
from cvnlp.demo.page_data import PageData, write_page_data
from cvnlp.demo.vision.network import convert_network
from cvnlp.language.models import Ngram
from cvnlp.paths import ProjectPaths
from cvnlp.vision.models.mlp import Mlp
from make_demo import make_runs
from make_networks import classifier, language_model

MODELS = {
    "small": ("vision", "digits", "{name: mlp, hidden: [4]}"),
    "letters": ("language", "plays", "{name: lstm, embedding_size: 4, hidden_size: 4}"),
    "counts": ("language", "plays", "{name: ngram, order: 3}"),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, vision_data: Path, language_data: Path) -> ProjectPaths:
    return make_runs(tmp_path_factory.mktemp("project"), {"digits": vision_data, "plays": language_data}, MODELS)


def read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """As the page reads it."""
    description = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    content = gzip.decompress(path.with_suffix(".bin").read_bytes()) if description["arrays"] else b""
    arrays = {
        name: np.frombuffer(content, entry["type"], int(np.prod(entry["shape"])), entry["start"]).reshape(
            entry["shape"]
        )
        for name, entry in description["arrays"].items()
    }
    return description, arrays


def test_the_folder_has_the_page_all_runs_and_examples(project: ProjectPaths, tmp_path: Path) -> None:
    built = build(tmp_path / "demo", root=project.root)
    found = {path.relative_to(tmp_path / "demo").as_posix() for path in (tmp_path / "demo").rglob("*.*")}
    page = {path.relative_to(PAGE).as_posix() for path in PAGE.rglob("*.*")}
    models = {f"models/{run}.{kind}" for run in MODELS for kind in ("json", "bin")}
    assert found == page | models | {"contents.json", "examples/digits.json", "examples/digits.bin"} | {
        "examples/plays.json"
    }
    contents = json.loads((tmp_path / "demo/contents.json").read_text(encoding="utf-8"))
    assert [one["run"] for one in contents["runs"]] == built.runs == list(MODELS)
    assert contents["examples"] == ["digits", "plays"] and contents["skipped"] == {}
    assert built.bytes == sum(path.stat().st_size for path in (tmp_path / "demo").rglob("*.*"))


def test_equal_runs_give_equal_bytes(project: ProjectPaths, tmp_path: Path) -> None:
    folders = [build(tmp_path / name, root=project.root).folder for name in ("one", "two")]
    first, second = ({path.relative_to(folder): path for path in folder.rglob("*.*")} for folder in folders)
    assert first.keys() == second.keys()
    assert all(first[name].read_bytes() == second[name].read_bytes() for name in first)


def test_an_older_page_is_replaced_and_only_chosen_runs_are_in_it(project: ProjectPaths, tmp_path: Path) -> None:
    build(tmp_path / "demo", root=project.root)
    built = build(tmp_path / "demo", ["small"], root=project.root)
    assert built.runs == ["small"] and not (tmp_path / "demo/models/letters.json").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]


def test_an_error_leaves_the_older_page_as_it_was(
    project: ProjectPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(tmp_path / "demo", ["small"], root=project.root)

    def fail(*_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(module, "write_page_data", fail)
    with pytest.raises(OSError, match="disk full"):
        build(tmp_path / "demo", root=project.root)
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]
    assert (tmp_path / "demo/models/small.bin").is_file()


def test_another_folder_is_not_overwritten(project: ProjectPaths, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ValueError, match="is no folder of a demo page"):
        build(tmp_path, root=project.root)
    with pytest.raises(ValueError, match="is no folder of a demo page"):
        build(tmp_path / "notes.txt", root=project.root)


def test_runs_that_are_not_trained_are_left_out_or_refused(
    tmp_path: Path, vision_data: Path, language_data: Path
) -> None:
    project = make_runs(tmp_path / "project", {"digits": vision_data, "plays": language_data}, MODELS)
    for run in ("small", "letters"):
        (project.models / run / "config.json").unlink()
    built = build(tmp_path / "demo", root=project.root)
    assert built.runs == ["counts"] and built.skipped == {"small": "not trained", "letters": "not trained"}
    with pytest.raises(ValueError, match=r"'small' is not trained.*; trained runs: counts"):
        build(tmp_path / "demo", ["small"], root=project.root)
    with pytest.raises(ValueError, match="is a folder; the page shows runs"):
        build(tmp_path / "demo", [str(project.models / "counts")], root=project.root)
    (project.models / "counts/config.json").unlink()
    with pytest.raises(ValueError, match="no run is trained"):
        build(tmp_path / "demo", root=project.root)


def test_a_network_without_counterpart_is_left_out_with_its_reason(
    project: ProjectPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = networks.load

    def load(folder: Path) -> Any:
        network, config = original(folder)
        if folder.name == "small":
            network.layers.append(nn.Softsign())  # type: ignore[union-attr, operator]
        return network, config

    monkeypatch.setattr("cvnlp.demo.build.networks.load", load)
    built = build(tmp_path / "demo", root=project.root)
    assert built.runs == ["letters", "counts"]
    assert built.skipped == {"small": "the page has no counterpart of the layer Softsign (Softsign5)"}
    with pytest.raises(ValueError, match="small: the page has no counterpart"):
        build(tmp_path / "demo", ["small"], root=project.root)


def test_a_classifier_with_its_own_forward_is_not_shown() -> None:
    class Quadratic(Mlp):
        def forward(self, images: Tensor) -> Tensor:
            return super().forward(images**2)

    network = classifier("mlp")
    network.__class__ = Quadratic
    with pytest.raises(ValueError, match=r"no counterpart of Quadratic\.forward"):
        convert_network(network)


def test_a_page_without_prepared_data_has_no_examples(tmp_path: Path, vision_data: Path, language_data: Path) -> None:
    project = make_runs(tmp_path / "project", {"digits": vision_data, "plays": language_data}, MODELS)
    (project.prepared("digits") / "facts.json").unlink()
    build(tmp_path / "demo", ["small"], root=project.root)
    assert json.loads((tmp_path / "demo/contents.json").read_text(encoding="utf-8"))["examples"] == []


def test_the_examples_are_test_images_of_every_class(project: ProjectPaths, tmp_path: Path) -> None:
    build(tmp_path / "demo", root=project.root)
    description, arrays = read(tmp_path / "demo/examples/digits")
    data = project.prepared("digits")
    images, labels = load_array(data, "test_images"), load_array(data, "test_labels")
    assert len(set(description["labels"])) == 10
    assert [int(labels[row]) for row in description["rows"]] == description["labels"]
    assert (arrays["images"] == images[description["rows"]]).all()


def test_arrays_begin_where_typed_arrays_may(tmp_path: Path) -> None:
    arrays = {"odd": np.arange(5, dtype=np.uint8), "numbers": np.arange(3, dtype=np.float32), "none": np.empty(0)}
    write_page_data(tmp_path, "data", PageData({"kind": "test"}, arrays))
    description, found = read(tmp_path / "data")
    assert [entry["start"] for entry in description["arrays"].values()] == [0, 8, 24]
    assert all((found[name] == arrays[name]).all() for name in arrays)


def test_the_tables_of_an_ngram_model_are_complete() -> None:
    """Contexts and n-grams from the lengths and tokens of the page are those of the model."""
    network = language_model("ngram", 5, order=4)
    assert isinstance(network, Ngram)
    drawn = torch.randint(5, (1, 600), generator=torch.Generator().manual_seed(1))
    text = torch.cat([drawn, torch.full((1, 900), 3)], dim=1)
    network.learn(text[:, :-1], text[:, 1:], epoch=0)
    arrays = convert_ngram(network).arrays
    parents = np.repeat(np.arange(len(arrays["extensions"])), arrays["extensions"])
    assert (parents * 5 + arrays["oldest"][1:] == network.contexts[1:].numpy()).all()
    owners = np.repeat(np.arange(len(arrays["followers"])), arrays["followers"])
    assert (owners * 5 + arrays["tokens"] == network.ngrams.numpy()).all()
    counts = arrays["counts"].astype(int)
    counts[arrays["large_places"]] = arrays["large_counts"]
    assert counts.max() > LARGE and (counts == network.counts.numpy()).all()


def test_an_ngram_model_before_learning_is_shown() -> None:
    network = language_model("ngram", 5, order=2)
    assert isinstance(network, Ngram)
    assert convert_ngram(network).arrays["followers"].tolist() == [0]
