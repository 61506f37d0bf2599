"""The whole analysis of one network: its scores, its files, and the data that it uses."""

import math
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.data.prepared import DuplicateCounts, VisionFacts
from cvnlp.launch.devices import device
from cvnlp.params.insight import VisionInsight
from cvnlp.params.processing import Decoding
from cvnlp.vision.insight import analyse
from cvnlp.vision.insight.layers import feature_layers
from cvnlp.vision.models import MODELS, Classifier
from cvnlp.vision.report.insight import insight_section
from make_networks import classifier
from report_contents import columns, figure_names, is_cut_off, tables, title, words

pytest.importorskip("captum")

OPTIONS = VisionInsight(
    feature_map_image=3,
    filters=4,
    patches=3,
    patch_images=40,
    validation_images=30,
    gradient_images=4,
    equivariance_shifts=[1, 2],
    rotations=[-30.0, 0.0, 30.0],
    scales=[0.8, 1.0],
    shifts=[-2.0, 0.0, 2.0],
    worst_case_images=10,
    max_rotation=30.0,
    rotation_steps=3,
    max_shift=2.0,
    shift_steps=3,
    attribution_images=5,
    attribution_steps=16,
    confused_pairs=3,
    images_per_pair=4,
    bins=10,
)
ALWAYS = (
    "invariance.csv",
    "worst_case.csv",
    "misclassified.csv",
    "confusions.csv",
    "reliability.csv",
)
CONVOLUTIONAL = [name for name, network in MODELS.items() if hasattr(network, "feature_layers")]


def build(name: str, seed: int, channels: int = 1) -> Classifier:
    torch.manual_seed(seed)
    return classifier(name, (12, 12, channels), 10, mean=0.2, std=0.2).to(device()).eval()


def facts_of(shape: list[int], classes: list[str]) -> VisionFacts:
    """Facts of made data: shape and classes, the rest empty."""
    return VisionFacts(
        source="made",
        licence="",
        citation="",
        duplicates=DuplicateCounts(within={}, across={}, dropped={}),
        arrays={},
        shape=shape,
        classes=classes,
        mean=[0.5] * shape[2],
        std=[0.3] * shape[2],
        counts={},
        conflicting=0,
        decoding=Decoding(colour="grey"),
    )


@pytest.fixture(scope="module")
def without_test(vision_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without the test split, which is evaluate's alone."""
    folder = tmp_path_factory.mktemp("without_test") / "pictures"
    shutil.copytree(vision_data, folder)
    for path in folder.glob("test_*"):
        path.unlink()
    return folder


def run(name: str, data: Path, folder: Path, **options: Any) -> dict[str, float]:
    facts = facts_of([12, 12, 1], [str(number) for number in range(10)])
    return analyse(build(name, 1), build(name, 0), data, facts, OPTIONS.model_copy(update=options), folder)


@pytest.fixture(scope="module")
def analysed(without_test: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Scores and folder of each network, analysed once."""
    found: dict[str, tuple[dict[str, float], Path]] = {}

    def get(name: str) -> tuple[dict[str, float], Path]:
        if name not in found:
            folder = tmp_path_factory.mktemp(name)
            found[name] = run(name, without_test, folder), folder
        return found[name]

    return get


@pytest.mark.parametrize("name", MODELS)
def test_scores_are_finite_and_flat(name: str, analysed: Any) -> None:
    scores, _ = analysed(name)
    assert all(isinstance(value, (int, float)) and math.isfinite(value) for value in scores.values())
    assert all(re.fullmatch(r"\w+", key) for key in scores)
    assert scores["worst_case_accuracy"] <= 1 and 0 <= scores["accuracy_clean"] <= 1


@pytest.mark.parametrize("name", MODELS)
def test_files_of_every_analysis_are_written(name: str, analysed: Any) -> None:
    _, folder = analysed(name)
    assert all((folder / file).is_file() for file in ALWAYS)
    assert (folder / "layers.csv").is_file() == (name in CONVOLUTIONAL)
    valid = not (folder / "attribution_not_valid.txt").is_file()
    assert (folder / "attribution.csv").is_file() == (folder / "attributions.npy").is_file() == valid


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_measured_field_of_every_layer_is_the_computed_one(name: str, analysed: Any) -> None:
    scores, folder = analysed(name)
    table = pd.read_csv(folder / "layers.csv")
    assert list(table["layer"]) == [layer for layer, _ in feature_layers(build(name, 1))]
    known = table.dropna(subset=["seen_height", "measured_height"])
    assert list(known["seen_height"]) == list(known["measured_height"])
    assert list(known["seen_width"]) == list(known["measured_width"])
    for block in table["block"].dropna():
        assert scores[f"receptive_field_{block}"] >= scores[f"effective_field_{block}"] > 0
        assert len(prepared.load_array(folder, f"patches_{block}")) == len(prepared.load_array(folder, f"maps_{block}"))


@pytest.mark.parametrize("name", ["cnn", "mlp"])
def test_analysis_is_deterministic(name: str, without_test: Path, analysed: Any, tmp_path: Path) -> None:
    scores, folder = analysed(name)
    torch.manual_seed(99)
    assert run(name, without_test, tmp_path) == scores
    written, again = (
        {path.relative_to(root): files.sha256(path) for path in root.rglob("*") if path.is_file()}
        for root in (folder, tmp_path)
    )
    assert written == again
    assert any(path.parent.name == "convolution" for path in written) == (name == "cnn")


def test_filters_are_those_before_and_after_training(analysed: Any) -> None:
    weights = prepared.load_array(analysed("cnn")[1], "filters")
    assert weights.shape[:2] == (2, 4) and weights.shape[-1] == 1
    for index, seed in enumerate((0, 1)):
        first = next(parameter for parameter in build("cnn", seed).parameters())
        assert np.array_equal(weights[index, 2, :, :, 0], first[2, 0].detach().cpu().numpy())


def test_maps_are_of_the_chosen_image(without_test: Path, analysed: Any) -> None:
    picture = prepared.load_array(analysed("cnn")[1], "image")
    assert np.array_equal(np.round(picture * 255), prepared.load_array(without_test, "validation_images")[3])


def test_image_number_past_the_last_is_refused(without_test: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"feature_map_image: 50, but the 50 validation images are 0 to 49"):
        run("cnn", without_test, tmp_path, feature_map_image=50)


def test_transformed_examples_are_misclassified(analysed: Any) -> None:
    folder = analysed("cnn")[1]
    table = pd.read_csv(folder / "misclassified.csv", dtype={"actual": str, "predicted": str})
    pairs = torch.from_numpy(np.array(prepared.load_array(folder, "misclassified"))).permute(0, 1, 4, 2, 3).to(device())
    assert pairs.shape[:2] == (2, len(table))
    if len(table):
        with torch.no_grad():
            before, after = (build("cnn", 1)(images).argmax(1).tolist() for images in pairs)
        assert [str(one) for one in before] == list(table["actual"])
        assert [str(one) for one in after] == list(table["predicted"])
        assert not (table["actual"] == table["predicted"]).any()


@pytest.mark.parametrize("name", MODELS)
def test_section_has_every_figure_that_is_drawn(name: str, analysed: Any, tmp_path: Path) -> None:
    found = insight_section(analysed(name)[1], tmp_path)
    shown = figure_names(found)
    assert sorted(shown) == sorted(path.name for path in tmp_path.iterdir())
    assert "invariance.png" in shown
    assert ("attributions.png" in shown) == (analysed(name)[1] / "attribution.csv").is_file()
    assert ("receptive_fields.png" in shown) == (name in CONVOLUTIONAL)
    assert "nan" not in words(found).lower()


@pytest.mark.parametrize("name", ["cnn", "rules"])
def test_figures_have_titles_and_nothing_is_cut_off(
    name: str, analysed: Any, tmp_path: Path, drawn: dict[str, Any]
) -> None:
    insight_section(analysed(name)[1], tmp_path)
    for path, figure in drawn.items():
        assert title(figure), path
        assert not is_cut_off(figure), path


def test_section_is_deterministic(analysed: Any, tmp_path: Path) -> None:
    for folder in (tmp_path / "first", tmp_path / "second"):
        insight_section(analysed("cnn")[1], folder)
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()


def test_colour_images_of_any_shape(tmp_path: Path) -> None:
    generator, data = np.random.default_rng(0), tmp_path / "data"
    for split, count in (("train", 30), ("validation", 20)):
        images = generator.integers(0, 256, (count, 12, 20, 3), dtype=np.uint8)
        prepared.save_array(data, f"{split}_images", images)
        prepared.save_array(data, f"{split}_labels", np.arange(count, dtype=np.uint16) % 4)
    facts = facts_of([12, 20, 3], ["a", "NA", "1", "d"])
    networks = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        networks.append(classifier("cnn", (12, 20, 3), 4, mean=0.5, std=0.3).to(device()).eval())
    scores = analyse(*networks, data, facts, OPTIONS, tmp_path / "out")
    assert all(math.isfinite(value) for value in scores.values())
    assert prepared.load_array(tmp_path / "out", "filters").shape[-1] == 3
    found = tables(insight_section(tmp_path / "out", tmp_path / "figures"))
    assert "NA" in columns(found["Reliability of the predictions by class"])["predicted class"]
