"""Sliding-window detection on the canvases of prepared data: scores, files and figures."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.data.prepared import VisionFacts
from cvnlp.params.datasets import VisionDataset
from cvnlp.params.insight import VisionInsight
from cvnlp.vision.data import READERS, prepare
from cvnlp.vision.data.image_set import of_arrays
from cvnlp.vision.insight import METRICS, analyse
from cvnlp.vision.insight.canvas_detection import analyse_canvases
from cvnlp.vision.models import Classifier
from cvnlp.vision.models.convolutional import Convolutional, named
from cvnlp.vision.report.detection import detection_section
from cvnlp.vision.report.insight import insight_section
from make_networks import classifier, image_format
from report_contents import figure_names, texts, words

OPTIONS = VisionInsight(detection_threshold=0.5, nms_iou=0.2, canvases_shown=2)
CANVASES = {"count": 6, "size": [24, 32], "pictures": 3, "background": 0.3}
TABLES = ("predictions", "ground_truth", "classes", "curves", "windows")


def template_network(shown: list[np.ndarray]) -> Classifier:
    """Predicts the class whose image a window equals, else background: correlation above a threshold."""
    network = Convolutional(image_format((8, 8, 1), len(shown) + 1, mean=0.0, std=1.0))
    network.layers = named(features=nn.Sequential(nn.Identity()), head=nn.Sequential(nn.Flatten(), nn.Linear(64, 4)))
    with torch.no_grad():
        linear = network.layers.head[1]
        for label, picture in enumerate(shown):
            pixels = torch.from_numpy(picture[..., 0] / 255.0).float()
            # bright pixels where the image is black count against it
            linear.weight[label] = torch.where(pixels > 0, 1.0, -1.0).flatten() * 10
            linear.bias[label] = 5 - 10 * pixels.sum()
        linear.weight[-1], linear.bias[-1] = 0.0, 0.0
    return network.eval()


def glyphs() -> list[np.ndarray]:
    """A ring, a cross and a square in 8 x 8, each with a margin of one."""
    ring, cross, square = (np.zeros((8, 8, 1), np.uint8) for _ in range(3))
    square[1:7, 1:7] = 255
    ring[1:7, 1:7] = 255
    ring[3:5, 3:5] = 0
    cross[3:5, 1:7] = 255
    cross[1:7, 3:5] = 255
    return [ring, cross, square]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("canvases") / "data"
    images, labels = np.stack(glyphs() * 10), np.arange(30) % 3
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(READERS, "mnist_sample", lambda raw: of_arrays(images, labels, ["ring", "cross", "NA"]))
        sizes = {"validation": 6, "test": 6, "canvases": CANVASES}
        prepare(Path(), folder, VisionDataset(domain="vision", source="mnist_sample", seed=1, **sizes))
    return folder


def detect(network: Classifier, data: Path, folder: Path, **options: Any) -> dict[str, float]:
    return analyse_canvases(
        network, data, prepared.read_facts(data, VisionFacts).classes, OPTIONS.model_copy(update=options), folder
    )


def test_perfect_classifier_has_perfect_scores(data: Path, tmp_path: Path) -> None:
    scores = detect(template_network(glyphs()), data, tmp_path)
    for name in ("precision", "recall", "map", "class_agnostic_precision", "class_agnostic_recall"):
        assert scores[f"detection_test_{name}"] == 1
    names = ("ground_truth", "predictions")
    there, found = (pd.read_csv(tmp_path / f"{name}.csv", keep_default_na=False) for name in names)
    place = ["canvas", "top", "left", "height", "width", "class"]
    assert sorted(there[place].to_numpy().tolist()) == sorted(found[place].to_numpy().tolist())
    assert there["detected"].all() and found["correct"].all() and found["located"].all()
    assert scores["detection_test_without_background_precision"] < 0.5


def test_swapped_classes_lower_all_but_the_class_agnostic_scores(data: Path, tmp_path: Path) -> None:
    ring, cross, square = glyphs()
    scores = detect(template_network([cross, ring, square]), data, tmp_path)
    assert scores["detection_test_class_agnostic_precision"] == scores["detection_test_class_agnostic_recall"] == 1
    there = pd.read_csv(tmp_path / "ground_truth.csv", keep_default_na=False)
    assert scores["detection_test_recall"] == pytest.approx((there["class"] == "NA").mean())
    assert scores["detection_test_map"] == pytest.approx(1 / 3)


def test_scores_are_flat_and_one_pass_is_as_good_as_sliding(data: Path, tmp_path: Path) -> None:
    scores = detect(template_network(glyphs()), data, tmp_path)
    assert all(re.fullmatch(r"detection_test_\w+", name) and np.isfinite(value) for name, value in scores.items())
    assert scores["detection_test_one_pass_difference"] < 1e-5
    assert scores["detection_test_multiply_adds_ratio"] == 1  # a single layer shares nothing
    assert scores["detection_test_multiply_adds"] == 17 * 25 * 64 * 4


def test_threshold_trades_recall_for_precision(data: Path, tmp_path: Path) -> None:
    torch.manual_seed(2)
    network = template_network(glyphs())
    with torch.no_grad():
        network.layers.head[1].weight += torch.randn(4, 64)
    low, high = (detect(network, data, tmp_path / str(score), detection_threshold=score) for score in (0.1, 0.999))
    assert low["detection_test_class_agnostic_recall"] >= high["detection_test_class_agnostic_recall"]
    assert low["detection_test_map"] == high["detection_test_map"]
    counts = [len(pd.read_csv(tmp_path / str(score) / "predictions.csv")) for score in (0.1, 0.999)]
    assert counts[0] > counts[1]


def test_result_is_deterministic(data: Path, tmp_path: Path) -> None:
    network = template_network(glyphs())
    assert detect(network, data, tmp_path / "one") == detect(network, data, tmp_path / "two")
    one, two = ({path.name: files.sha256(path) for path in (tmp_path / name).iterdir()} for name in ("one", "two"))
    assert one == two


def test_shown_are_the_first_and_the_worst_of_the_others(data: Path, tmp_path: Path) -> None:
    ring, cross, square = glyphs()
    detect(template_network([ring, square, cross]), data, tmp_path)
    shown, boxes = (
        prepared.load_array(tmp_path, "shown"),
        pd.read_csv(tmp_path / "ground_truth.csv", keep_default_na=False),
    )
    mistakes = (~boxes["detected"]).groupby(boxes["canvas"]).sum()
    assert list(shown[:2]) == [0, 1] and len(shown) == 4
    assert mistakes[shown[2]] == mistakes[2:].max() >= mistakes[shown[3]]
    expected = prepared.load_array(data, "test_canvases")[shown]
    assert np.array_equal(prepared.load_array(tmp_path, "canvases"), expected)


def test_fewer_canvases_than_wanted_are_all_shown(data: Path, tmp_path: Path) -> None:
    detect(template_network(glyphs()), data, tmp_path, canvases_shown=9)
    assert list(prepared.load_array(tmp_path, "shown")) == list(range(6))
    assert "worst_detections.png" not in figure_names([detection_section(tmp_path, tmp_path / "figures")])


def test_every_window_that_is_not_background_is_listed(data: Path, tmp_path: Path) -> None:
    detect(template_network(glyphs()), data, tmp_path)
    seen = pd.read_csv(tmp_path / "windows.csv", keep_default_na=False)
    assert set(seen["class"]) <= {"ring", "cross", "NA"} and set(seen["canvas"]) == {
        *prepared.load_array(tmp_path, "shown")
    }
    assert len(seen) == 3 * 4  # an object is seen from its own place alone
    assert (seen["score"] > 0.5).all()


def test_reason_is_written_for_a_network_that_is_not_convertible(data: Path, tmp_path: Path) -> None:
    network = classifier("cnn", (8, 8, 1), 4, mean=0.5, std=0.5, blocks=[{"filters": 2}]).eval()
    assert detect(network, data, tmp_path) == {}
    assert [path.name for path in tmp_path.iterdir()] == ["not_convertible.txt"]
    (text,) = texts([detection_section(tmp_path, tmp_path)])
    assert "cannot be applied to a whole canvas in one pass: Cnn pads its feature maps" in text


def test_section_without_detections(data: Path, tmp_path: Path) -> None:
    network = template_network(glyphs())
    with torch.no_grad():
        network.layers.head[1].bias[-1] = 1e4
    assert detect(network, data, tmp_path / "detection")["detection_test_recall"] == 0
    detection_section(tmp_path / "detection", tmp_path / "figures")


def test_section_is_deterministic(data: Path, tmp_path: Path) -> None:
    detect(template_network(glyphs()), data, tmp_path / "detection")
    shown = figure_names([detection_section(tmp_path / "detection", tmp_path / "figures")])
    assert shown == ["detections.png", "window_predictions.png", "precision_recall.png", "worst_detections.png"]
    detection_section(tmp_path / "detection", tmp_path / "again")
    for name in shown:
        assert files.sha256(tmp_path / "figures" / name) == files.sha256(tmp_path / "again" / name)


def test_analysis_covers_canvases_if_the_data_has_them(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("captum")
    blocks = [{"filters": 2, "padding": "valid", "pooling": "none"}]
    network = classifier("cnn", (8, 8, 1), 4, mean=0.5, std=0.5, blocks=blocks).eval()
    few = {"rotation_steps": 1, "shift_steps": 1, "attribution_steps": 2}
    small = VisionInsight(rotations=[0.0], scales=[1.0], shifts=[0.0], **few)
    facts = prepared.read_facts(data, VisionFacts)
    for name, known in (("with", facts), ("without", facts.model_copy(update={"canvases": None}))):
        scores = analyse(network, network, data, known, small, tmp_path / name)
        found = words(insight_section(tmp_path / name, tmp_path / f"{name} figures"))
        assert (set(METRICS) <= set(scores)) == ("Sliding-window detection" in found) == (name == "with")
