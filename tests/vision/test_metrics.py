"""Scores of a classifier, compared with torchmetrics, torch, published values and cases worked out by hand."""

import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torchmetrics.functional import classification as reference

from cvnlp.vision import metrics

CLASSES = 5


def make_predictions(seed: int, count: int = 400, sharpness: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of a classifier that is often correct, and labels; no image is of class 4."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, CLASSES - 1, count)
    logits = generator.normal(size=(count, CLASSES)) * sharpness
    logits[np.arange(count), labels] += sharpness
    return torch.from_numpy(logits).float().softmax(1).numpy(), labels


@pytest.fixture(params=[(0, 0.5), (1, 2.0), (2, 8.0)], ids=["unsure", "usual", "sure"])
def predictions(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    seed, sharpness = request.param
    return make_predictions(seed, sharpness=sharpness)


def tensors(predictions: tuple[np.ndarray, np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(predictions[0]), torch.from_numpy(predictions[1])


def test_accuracy_equals_torchmetrics(predictions: tuple[np.ndarray, np.ndarray]) -> None:
    expected = reference.multiclass_accuracy(*tensors(predictions), num_classes=CLASSES, average="micro")
    assert metrics.summary(*predictions, bins=15)["accuracy"] == pytest.approx(float(expected), abs=1e-6)


@pytest.mark.parametrize("bins", [1, 5, 15, 100])
def test_calibration_error_equals_torchmetrics(predictions: tuple[np.ndarray, np.ndarray], bins: int) -> None:
    expected = reference.multiclass_calibration_error(
        *tensors(predictions), num_classes=CLASSES, n_bins=bins, norm="l1"
    )
    assert metrics.calibration_error(*predictions, bins=bins) == pytest.approx(float(expected), abs=1e-5)


def test_average_precision_equals_torchmetrics_and_is_missing_without_images(
    predictions: tuple[np.ndarray, np.ndarray],
) -> None:
    found = metrics.average_precision(*predictions)
    expected = reference.multiclass_average_precision(*tensors(predictions), num_classes=CLASSES, average="none")
    assert found[:-1] == pytest.approx(expected[:-1].numpy(), abs=1e-5)
    assert np.isnan(found[-1])
    assert metrics.summary(*predictions, bins=15)["mean_average_precision"] == pytest.approx(found[:-1].mean())


def test_area_under_the_curve_is_the_average_precision(predictions: tuple[np.ndarray, np.ndarray]) -> None:
    areas = metrics.average_precision(*predictions)
    curves = metrics.precision_recall(*predictions, points=10_000)
    assert list(dict.fromkeys(curves["class"])) == list(range(CLASSES - 1))
    for number, curve in curves.groupby("class"):
        area = (np.diff(curve["recall"]) * curve["precision"].to_numpy()[1:]).sum()
        assert area == pytest.approx(areas[number])


@pytest.mark.parametrize("points", [2, 5, 50])
def test_thinned_curve_is_part_of_the_whole_curve_with_both_ends(
    predictions: tuple[np.ndarray, np.ndarray], points: int
) -> None:
    whole = metrics.precision_recall(*predictions, points=10_000)
    thin = metrics.precision_recall(*predictions, points=points)
    assert set(thin.itertuples(index=False)) <= set(whole.itertuples(index=False))
    for number, curve in thin.groupby("class"):
        assert len(curve) <= points < len(whole[whole["class"] == number])
        assert curve["recall"].is_monotonic_increasing
        share = (predictions[1] == number).mean()
        assert curve.iloc[[0, -1]][["recall", "precision"]].to_numpy() == pytest.approx(np.array([[0, 1], [1, share]]))


def test_images_of_one_class_have_one_curve() -> None:
    probabilities, _ = make_predictions(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = metrics.per_class(probabilities, np.full(len(probabilities), 2))
        curves = metrics.precision_recall(probabilities, np.full(len(probabilities), 2), points=5)
    assert table["average_precision"].isna().tolist() == [True, True, False, True, True]
    assert table["average_precision"][2] == 1.0
    assert (curves["precision"] == 1.0).all() and set(curves["class"]) == {2}


@pytest.mark.parametrize(
    ("column", "function"),
    [
        ("precision", reference.multiclass_precision),
        ("recall", reference.multiclass_recall),
        ("f1", reference.multiclass_f1_score),
    ],
)
def test_scores_of_every_class_equal_torchmetrics(
    predictions: tuple[np.ndarray, np.ndarray], column: str, function
) -> None:
    table = metrics.per_class(*predictions)
    expected = function(*tensors(predictions), num_classes=CLASSES, average="none", zero_division=0)
    assert table[column].to_numpy() == pytest.approx(expected.numpy(), abs=1e-6)


def test_macro_f1_equals_torchmetrics_if_every_class_has_images(predictions: tuple[np.ndarray, np.ndarray]) -> None:
    probabilities, labels = predictions
    labels = np.concatenate([labels[:-CLASSES], np.arange(CLASSES)])  # torchmetrics leaves out empty classes
    expected = reference.multiclass_f1_score(*tensors((probabilities, labels)), num_classes=CLASSES, average="macro")
    assert metrics.summary(probabilities, labels, bins=15)["macro_f1"] == pytest.approx(float(expected), abs=1e-6)


def test_confusion_equals_torchmetrics(predictions: tuple[np.ndarray, np.ndarray]) -> None:
    probabilities, labels = predictions
    expected = reference.multiclass_confusion_matrix(*tensors(predictions), num_classes=CLASSES)
    assert metrics.confusion(probabilities.argmax(1), labels, CLASSES).tolist() == expected.tolist()


def test_negative_log_likelihood_is_the_cross_entropy_of_torch() -> None:
    logits = torch.randn(50, CLASSES, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(50) % CLASSES
    found = metrics.negative_log_likelihood(logits.softmax(1).numpy(), labels.numpy())
    assert found == pytest.approx(F.cross_entropy(logits, labels).item(), rel=1e-5)


def test_probability_of_zero_has_a_large_finite_loss() -> None:
    assert 20 < metrics.negative_log_likelihood(np.array([[0.0, 1.0]], np.float32), np.array([0])) < 100


@pytest.mark.parametrize(
    ("successes", "count", "low", "high"),
    [
        (9, 10, 0.5958, 0.9821),
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (50, 100, 0.4038, 0.5962),
        (9600, 10000, 0.9560, 0.9637),
    ],
)
def test_wilson_interval_has_its_known_values(successes: int, count: int, low: float, high: float) -> None:
    assert metrics.wilson_interval(successes, count) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize("count", [1, 2, 10, 500])
def test_wilson_interval_contains_the_share_and_is_symmetric(count: int) -> None:
    for successes in range(count + 1):
        low, high = metrics.wilson_interval(successes, count)
        assert 0 <= low <= high <= 1
        assert low - 1e-12 <= successes / count <= high + 1e-12
        assert metrics.wilson_interval(count - successes, count) == pytest.approx((1 - high, 1 - low), abs=1e-12)


def test_scores_worked_out_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.2, 0.8]])
    labels = np.array([0, 1, 1, 1])  # the second image is misclassified as 0
    found = metrics.summary(probabilities, labels, bins=2)
    assert found["accuracy"] == 0.75
    assert found["error_rate"] == 0.25
    assert found["images"] == 4
    assert found["nll"] == pytest.approx(-np.log([0.9, 0.4, 0.7, 0.8]).mean())
    assert found["ece"] == pytest.approx(abs(np.mean([0.9, 0.6, 0.7, 0.8]) - 0.75))
    assert found["macro_f1"] == pytest.approx((2 / 3 + 4 / 5) / 2)


def test_confusion_has_the_truth_in_rows() -> None:
    assert metrics.confusion(np.array([1, 1, 2]), np.array([0, 1, 1]), 3).tolist() == [[0, 1, 0], [0, 1, 1], [0, 0, 0]]


def test_class_without_images_and_predictions_scores_zero() -> None:
    table = metrics.per_class(np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]]), np.array([0, 1]))
    assert table["f1"].tolist() == [1.0, 1.0, 0.0]
    assert table["images"].tolist() == [1, 1, 0]


def test_calibration_of_bins_by_hand() -> None:
    probabilities = np.array([[0.95, 0.05], [0.91, 0.09], [0.55, 0.45], [1.0, 0.0]])
    table = metrics.calibration(probabilities, np.array([0, 1, 0, 0]), bins=10)
    assert table["bin"].tolist() == [5, 9]
    assert table["images"].tolist() == [1, 3]
    assert table["confidence"].tolist() == pytest.approx([0.55, (0.95 + 0.91 + 1.0) / 3])
    assert table["accuracy"].tolist() == pytest.approx([1.0, 2 / 3])


def test_every_image_is_in_one_bin(predictions: tuple[np.ndarray, np.ndarray]) -> None:
    assert metrics.calibration(*predictions, bins=15)["images"].sum() == len(predictions[1])


def test_error_rate_is_one_minus_accuracy(predictions: tuple[np.ndarray, np.ndarray]) -> None:
    found = metrics.summary(*predictions, bins=15)
    assert found["error_rate"] == pytest.approx(1 - found["accuracy"])
    assert found["error_rate_low"] == pytest.approx(1 - found["accuracy_high"])
    assert found["error_rate_high"] == pytest.approx(1 - found["accuracy_low"])
    assert found["accuracy_low"] <= found["accuracy"] <= found["accuracy_high"]


def test_every_headline_is_a_score(predictions: tuple[np.ndarray, np.ndarray]) -> None:
    found = metrics.summary(*predictions, bins=15, background=CLASSES - 2)
    assert set(metrics.HEADLINE) <= set(found)
    assert all(isinstance(value, int | float) and np.isfinite(value) for value in found.values())


def test_scores_of_objects_do_not_depend_on_the_images_of_the_background() -> None:
    probabilities = np.array([[0.9, 0.05, 0.05], [0.2, 0.1, 0.7], [0.1, 0.8, 0.1], [0.3, 0.1, 0.6], [0.8, 0.1, 0.1]])
    labels = np.array([0, 1, 1, 2, 2])
    found = metrics.summary(probabilities, labels, bins=5, background=2)
    assert found["accuracy"] == pytest.approx(2 / 3) and found["images"] == 3
    assert found["nll"] == pytest.approx(-np.log([0.9, 0.1, 0.8]).mean())
    assert found["macro_f1"] == pytest.approx((1 + 2 / 3) / 2)  # the background is no class of its own here
    assert found["background_recall"] == 0.5 and found["background_images"] == 2
    fewer = metrics.summary(probabilities[:4], labels[:4], bins=5, background=2)
    assert {name: found[name] for name in found if "background" not in name} == {
        name: fewer[name] for name in fewer if "background" not in name
    }


@pytest.mark.parametrize("count", [1, 7, 500])
def test_rates_of_a_perfect_and_of_a_useless_classifier_are_exact(count: int) -> None:
    labels = np.zeros(count, dtype=int)
    perfect, useless = (metrics.summary(np.tile(row, (count, 1)), labels, bins=5) for row in ([1.0, 0.0], [0.0, 1.0]))
    assert perfect["error_rate"] == perfect["error_rate_low"] == useless["accuracy_low"] == 0
    assert useless["error_rate"] == useless["error_rate_high"] == perfect["accuracy_high"] == 1
    assert metrics.diverged(useless) and not metrics.diverged(perfect)
    assert str(perfect["nll"]) == "0.0"
