"""Evaluation of a classifier: its files agree with its scores."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from cvnlp.data import prepared
from cvnlp.data.prepared import VisionFacts
from cvnlp.launch.devices import device
from cvnlp.params.evaluation import VisionEvaluate
from cvnlp.vision import metrics
from cvnlp.vision.evaluation import evaluate
from cvnlp.vision.inference import predict_split
from make_networks import classifier

OPTIONS = VisionEvaluate(bins=10, mistakes=12)


class BrightestRow(nn.Module):
    """Predicts the row of the bright bar, which is the class of the made images, or the row `off` below it."""

    def __init__(self, off: int = 0, classes: int = 10) -> None:
        super().__init__()
        self.off, self.classes = off, classes

    def forward(self, images: Tensor) -> Tensor:
        return images[:, 0].mean(2)[:, : self.classes].roll(self.off, 1) * 20


def make_network(name: str = "cnn") -> nn.Module:
    torch.manual_seed(0)
    return classifier(name, (12, 12, 1), 10, mean=0.2, std=0.2).to(device()).eval()


def stored(folder: Path, name: str) -> np.ndarray:
    return np.array(prepared.load_array(folder, name))


@pytest.fixture
def evaluated(vision_data: Path, tmp_path: Path) -> tuple[dict[str, float], Path]:
    """An untrained network's scores and the folder of its tables."""
    return evaluate(
        make_network(), vision_data, prepared.read_facts(vision_data, VisionFacts), OPTIONS, tmp_path / "details"
    ), (tmp_path / "details")


def read(folder: Path, name: str, **options: Any) -> pd.DataFrame:
    return pd.read_csv(folder / f"{name}.csv", **options)


def test_perfect_classifier_has_perfect_scores(vision_data: Path, tmp_path: Path) -> None:
    found = evaluate(BrightestRow(), vision_data, prepared.read_facts(vision_data, VisionFacts), OPTIONS, tmp_path)
    assert found["accuracy"] == 1.0 and found["macro_f1"] == 1.0
    assert found["images"] == 50
    assert len(read(tmp_path, "mistakes")) == 0
    assert np.load(tmp_path / "mistakes.npy").shape == (0, 12, 12, 1)


def test_class_without_test_images_has_neither_average_precision_nor_curve(
    vision_data: Path, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    facts = prepared.read_facts(vision_data, VisionFacts)
    classes = [*facts.classes, "NA"]
    found = evaluate(
        BrightestRow(classes=11), vision_data, facts.model_copy(update={"classes": classes}), OPTIONS, tmp_path
    )
    assert found["mean_average_precision"] == 1.0
    table = read(tmp_path, "classes", dtype={"class": str}, keep_default_na=False)
    assert table["average_precision"].tolist() == ["1"] * 10 + [""]
    curves = read(tmp_path, "curves", dtype={"class": str}, keep_default_na=False)
    assert list(dict.fromkeys(curves["class"])) == facts.classes
    assert not recwarn.list


def test_confusion_matrix_of_a_systematic_mistake(vision_data: Path, tmp_path: Path) -> None:
    evaluate(BrightestRow(off=1), vision_data, prepared.read_facts(vision_data, VisionFacts), OPTIONS, tmp_path)
    counts = read(tmp_path, "confusion").to_numpy()
    assert (counts == 5 * np.roll(np.eye(10, dtype=int), 1, axis=1)).all()


def test_the_scores_are_those_of_the_test_split(vision_data: Path, evaluated: tuple[dict[str, float], Path]) -> None:
    found, _ = evaluated
    assert found == metrics.summary(*predict_split(make_network(), vision_data, "test"), bins=OPTIONS.bins)


def test_predictions_agree_with_the_scores(vision_data: Path, evaluated: tuple[dict[str, float], Path]) -> None:
    found, folder = evaluated
    table = read(folder, "predictions")
    assert table["index"].tolist() == list(range(50))
    assert table["actual"].tolist() == stored(vision_data, "test_labels").tolist()
    assert (table["actual"] == table["predicted"]).mean() == pytest.approx(found["accuracy"])
    assert -np.log(table["probability_of_actual"]).mean() == pytest.approx(found["nll"], rel=1e-4)
    right = table["actual"] == table["predicted"]
    assert (table["confidence"][right] == table["probability_of_actual"][right]).all()
    assert (table["confidence"][~right] >= table["probability_of_actual"][~right]).all()


def test_classes_agree_with_the_scores(vision_data: Path, evaluated: tuple[dict[str, float], Path]) -> None:
    found, folder = evaluated
    table = read(folder, "classes", dtype={"class": str})
    assert table["class"].tolist() == prepared.read_facts(vision_data, VisionFacts).classes
    assert table["f1"].mean() == pytest.approx(found["macro_f1"], abs=1e-5)
    assert table["average_precision"].mean() == pytest.approx(found["mean_average_precision"], abs=1e-5)
    assert table["images"].tolist() == [5] * 10


def test_confusion_agrees_with_the_scores(evaluated: tuple[dict[str, float], Path]) -> None:
    found, folder = evaluated
    counts = read(folder, "confusion").to_numpy()
    predictions = read(folder, "predictions")
    assert counts.sum() == found["images"]
    assert counts.trace() / counts.sum() == pytest.approx(found["accuracy"])
    assert counts.sum(0).tolist() == [(predictions["predicted"] == label).sum() for label in range(10)]


def test_calibration_agrees_with_the_scores(evaluated: tuple[dict[str, float], Path]) -> None:
    found, folder = evaluated
    table = read(folder, "calibration")
    gaps = (table["confidence"] - table["accuracy"]).abs() * table["images"]
    assert table["images"].sum() == found["images"]
    assert gaps.sum() / found["images"] == pytest.approx(found["ece"], abs=1e-5)


def test_mistakes_are_the_worst_ones_with_their_images(
    vision_data: Path, evaluated: tuple[dict[str, float], Path]
) -> None:
    _, folder = evaluated
    mistakes, predictions = read(folder, "mistakes"), read(folder, "predictions")
    wrong = predictions[predictions["actual"] != predictions["predicted"]]
    assert len(wrong) > len(mistakes) == OPTIONS.mistakes
    assert mistakes["probability_of_actual"].is_monotonic_increasing
    kept = set(mistakes["index"])
    others = wrong[~wrong["index"].isin(kept)]
    assert kept <= set(wrong["index"])
    assert mistakes["probability_of_actual"].max() <= others["probability_of_actual"].min()
    pictures = stored(vision_data, "test_images")[mistakes["index"]]
    assert (np.load(folder / "mistakes.npy") == pictures).all()


def test_evaluation_is_deterministic(vision_data: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        evaluate(make_network(), vision_data, prepared.read_facts(vision_data, VisionFacts), OPTIONS, tmp_path / name)
    first = {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()}
    second = {path.name: path.read_bytes() for path in (tmp_path / "two").iterdir()}
    assert first == second
    tables = ("predictions", "classes", "curves", "confusion", "calibration", "mistakes")
    assert set(first) == {"mistakes.npy", "test_set.json", *(f"{name}.csv" for name in tables)}
