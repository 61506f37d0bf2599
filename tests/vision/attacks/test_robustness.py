"""The robustness evaluation: accuracies, the worst case of each image, and the files behind them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from cvnlp.data import prepared
from cvnlp.data.prepared import VisionFacts
from cvnlp.domains import AttackResult
from cvnlp.launch.devices import device
from cvnlp.params.attacks import AUTOATTACK, AttackTable, PgdOptions, SquareOptions, VisionAttack
from cvnlp.params.datasets import Canvases
from cvnlp.vision import attacks
from cvnlp.vision.attacks.collected import Collected
from cvnlp.vision.attacks.config import AttackEntry
from cvnlp.vision.attacks.ensemble import Cost, choose_attacks
from cvnlp.vision.attacks.measures import accuracy_by_class, area_under_curve, black_box_gain, cost_table
from cvnlp.vision.attacks.table import ATTACKS
from cvnlp.vision.metrics import wilson_interval
from cvnlp.vision.models.ball import Ball
from cvnlp.vision.models.cnn import Cnn

QUICK: dict[str, Any] = {
    "eps": [0.15, 0.05],
    "images": 40,
    "examples": 3,
    "smallest": None,
    "targeted": None,
    "spatial": None,
    "corruptions": None,
}


@dataclass
class Attacked:
    result: AttackResult
    folder: Path

    def array(self, name: str) -> np.ndarray:
        return np.load(self.folder / f"{name}.npy")


@pytest.fixture
def run(vision_data: Path, tmp_path: Path) -> Any:
    def attack(network: nn.Module, *, batch_size: int = 512, facts: VisionFacts | None = None, **options: Any) -> Any:
        folder = tmp_path / f"attacked{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        chosen = VisionAttack.model_validate(QUICK | options)
        facts = facts or prepared.read_facts(vision_data, VisionFacts)
        place = network.to(device())
        return Attacked(attacks.attack(place, vision_data, facts, chosen, folder, batch_size=batch_size), folder)

    return attack


class Nothing(nn.Module):
    """Predicts the last class for every image; has no gradient."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.eye(10)[[9] * len(images)].to(images) + 0 * images.sum()


# Accuracies


def test_the_worst_case_is_at_most_every_accuracy_and_falls_with_eps(network: Cnn, run: Any) -> None:
    table = run(network, eps=[0.02, 0.05, 0.1, 0.3]).result.table
    worst = table[table["method"] == "worst_case"].set_index("eps")["accuracy"]
    assert (table["accuracy"] >= table["eps"].map(worst)).all()
    assert worst.is_monotonic_decreasing and worst.iloc[0] > worst.iloc[-1]


def test_every_accuracy_is_a_score_and_the_worst_case_has_its_interval(network: Cnn, run: Any) -> None:
    scores, table = (result := run(network).result).scores, result.table
    for row in table.to_dict("records"):
        assert scores[f"accuracy_{row['method']}_{row['eps']}"] == row["accuracy"]
        assert (row["low"], row["high"]) == wilson_interval(round(40 * row["accuracy"]), 40)
    assert scores["interval_worst_case_0.15_low"] <= scores["accuracy_worst_case_0.15"]
    assert set(result.metrics) <= set(scores) and "accuracy_worst_case_0.15" in result.metrics


def test_clean_mistakes_count_as_broken(run: Any) -> None:
    scores = run(Nothing(), images=50).result.scores
    assert scores["accuracy_clean"] == pytest.approx(0.1)
    assert scores["accuracy_worst_case_0.05"] <= scores["accuracy_clean"]


def test_strengths_that_differ_in_the_eighth_digit_have_scores_of_their_own(network: Cnn, run: Any) -> None:
    scores = run(network, eps=[0.1, 0.10000001, 1.0]).result.scores
    assert {f"accuracy_pgd_{eps}" for eps in ("0.1", "0.10000001", "1")} <= set(scores)


def test_images_of_the_background_are_not_attacked(run: Any, vision_data: Path) -> None:
    facts = prepared.read_facts(vision_data, VisionFacts)
    canvases = Canvases(count=1, size=[24, 24], pictures=1, background=0.1)
    for known, images in ((facts, 50), (facts.model_copy(update={"canvases": canvases}), 45)):
        assert run(Nothing(), facts=known, images=50).result.scores["images"] == images


# Files


@pytest.mark.parametrize(("norm", "eps"), [("linf", [0.05, 0.15]), ("l2", [0.5, 2.0])])
def test_stored_pictures_lie_in_the_ball_and_reproduce_the_worst_case(
    norm: Any, eps: list[float], network: Cnn, run: Any, vision_data: Path
) -> None:
    found = run(network, norm=norm, eps=eps)
    rows, labels = found.array("rows"), torch.from_numpy(found.array("labels"))
    clean = torch.from_numpy(prepared.load_array(vision_data, "test_images")[rows]).permute(0, 3, 1, 2).float() / 255
    for number, value in enumerate(found.array("eps")):
        pictures = torch.from_numpy(found.array("attacked")[:, number]).permute(0, 3, 1, 2)
        assert Ball(norm, float(value)).sizes(clean, pictures).max() <= value + 1e-5
        with torch.no_grad():
            correct = network.cpu()(pictures).argmax(1) == labels
        score = found.result.scores[f"accuracy_worst_case_{value:g}"]
        assert float(correct.float().mean()) == pytest.approx(score)


def test_examples_are_misclassified_only_after_the_attack(network: Cnn, run: Any) -> None:
    found = run(network, eps=[0.3])
    table = pd.read_csv(found.folder / "examples.csv", dtype={"before": str, "after": str, "actual": str})
    assert len(table) == 3 and (table["before"] == table["actual"]).all() and (table["after"] != table["actual"]).all()
    assert (table["size"] <= 0.3 + 1e-5).all() and (table["confidence_after"] > 0.1).all()
    for name in ("clean", "attacked"):
        images = torch.from_numpy(found.array(f"example_{name}")).permute(0, 3, 1, 2)
        column = "before" if name == "clean" else "after"
        with torch.no_grad():
            assert network.cpu()(images).argmax(1).tolist() == table[column].astype(int).tolist()


def test_without_a_broken_image_there_are_no_examples(run: Any) -> None:
    assert not (run(Nothing(), eps=[0.01]).folder / "examples.csv").exists()


def test_result_is_deterministic(network: Cnn, run: Any) -> None:
    first, again = run(network), run(network)
    assert first.result.scores == again.result.scores and first.result.table.equals(again.result.table)
    assert np.array_equal(first.array("attacked"), again.array("attacked"))


def test_all_images_are_attacked_in_batches(network: Cnn, run: Any) -> None:
    found = run(network, batch_size=16)
    assert found.array("attacked").shape == (40, 2, 12, 12, 1)
    assert (
        abs(found.result.scores["accuracy_worst_case_0.15"] - run(network).result.scores["accuracy_worst_case_0.15"])
        < 0.1
    )


def test_the_smallest_eps_is_at_most_the_first_that_breaks(network: Cnn, run: Any) -> None:
    found = run(network, eps=[0.05, 0.15, 0.3], smallest={"images": 40, "halvings": 3})
    smallest, scores = found.array("smallest_eps"), found.result.scores
    for eps in (0.05, 0.15, 0.3):
        assert (smallest > eps + 1e-6).mean() == pytest.approx(scores[f"accuracy_worst_case_{eps}"])
    assert 0 < scores["median_smallest_eps"] <= 0.3


def test_further_tests_have_tables_and_scores(network: Cnn, run: Any) -> None:
    found = run(
        network,
        targeted={"images": 20, "steps": 2},
        spatial={"images": 20},
        corruptions={"names": ["contrast", "fog"], "images": 20},
        certificate={"images": 2, "samples": 50, "selection_samples": 10, "radii": [0.1]},
    )
    assert {"targeted_success", "least_likely_success", "accuracy_spatial", "accuracy_corrupted"} <= set(
        found.result.scores
    )
    assert "certified_accuracy_0.1" in found.result.scores
    assert len(pd.read_csv(found.folder / "corruptions.csv")) == 10
    targeted = pd.read_csv(found.folder / "targeted.csv")
    assert (targeted["actual"] != targeted["target"]).all() and targeted["success"].between(0, 1).all()


# Which attacks


def test_autoattack_makes_all_four_with_their_published_settings() -> None:
    options = VisionAttack(eps=[0.1], autoattack=True, attacks=AttackTable(pgd=PgdOptions(steps=3)))
    chosen = choose_attacks(options, with_gradient=1.0)
    assert list(chosen) == ["pgd", "apgd_ce", "apgd_t", "fab_t", "square"]
    assert all(chosen[name] == AUTOATTACK[name] for name in AUTOATTACK)


def test_a_network_without_gradients_gets_random_noise_and_square(run: Any) -> None:
    methods = set(run(Nothing()).result.table["method"])
    assert methods == {"random", "square", "worst_case"}
    own = VisionAttack(eps=[0.1], attacks=AttackTable(square=SquareOptions(queries=7)))
    for with_gradient, queries in ((1.0, 7), (0.5, 2000), (0.0, 2000)):
        assert choose_attacks(own, with_gradient=with_gradient)["square"] == SquareOptions(queries=queries)


def test_attack_that_breaks_its_limits_stops_the_evaluation(
    network: Cnn, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cheat(network: nn.Module, images: Tensor, *_: Any, **__: Any) -> Tensor:
        return 1 - images

    monkeypatch.setitem(ATTACKS, "pgd", AttackEntry(cheat, alone=True))
    with pytest.raises(RuntimeError, match="more than eps"):
        run(network)


# Measures of hand-made cases


def collected(standing: dict[tuple[float, str], list[bool]]) -> Collected:
    masks = {key: np.array(mask) for key, mask in standing.items()}
    count = len(next(iter(masks.values())))
    costs = {key: Cost(forwards=3 * count, gradients=count, seconds=0.5) for key in masks}
    return Collected(np.ones(count, dtype=bool), masks, costs, np.empty(0))


def test_the_area_is_the_mean_accuracy_over_eps() -> None:
    assert area_under_curve(1.0, [1.0, 0.0], [0.1, 0.2]) == pytest.approx(0.75)
    assert area_under_curve(0.8, [0.8], [0.3]) == pytest.approx(0.8)


def test_the_gain_of_a_black_box_is_what_only_it_has_broken() -> None:
    found = collected({(0.1, "pgd"): [True, True, True, False], (0.1, "square"): [True, False, True, False]})
    assert black_box_gain(found, {"pgd": True, "square": False}) == 0.25


def test_costs_are_per_image_and_over_all_eps() -> None:
    table = cost_table(collected({(0.1, "pgd"): [True, False], (0.2, "pgd"): [False, False]}))
    assert table.to_dict("records") == [{"attack": "pgd", "gradients": 2.0, "forwards": 6.0}]


def test_the_worst_case_of_each_class() -> None:
    worst = {0.1: np.array([True, False, True]), 0.2: np.array([False, False, True])}
    table = accuracy_by_class(np.array([0, 0, 1]), worst, ["cat", "dog"])
    assert table.to_dict("records") == [
        {"class": "cat", "eps": "0.1", "images": 2, "accuracy": 0.5},
        {"class": "dog", "eps": "0.1", "images": 1, "accuracy": 1.0},
        {"class": "cat", "eps": "0.2", "images": 2, "accuracy": 0.0},
        {"class": "dog", "eps": "0.2", "images": 1, "accuracy": 1.0},
    ]


def test_seconds_are_of_each_attack(network: Cnn, run: Any) -> None:
    found = run(network)
    assert set(found.result.seconds) == set(found.result.table["method"]) - {"worst_case"}
    assert all(value >= 0 for value in found.result.seconds.values())
