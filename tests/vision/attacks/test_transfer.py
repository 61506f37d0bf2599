"""Transfer of attacked images: the matrix of accuracies, what it adds to each target, and which runs are compared."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cvnlp.data import prepared
from cvnlp.vision.attacks.transfer import (
    GAINS,
    PAIRS,
    AttackedRun,
    read_attacked,
    transfer_matrix,
    transfer_tables,
)


class Brighter(nn.Module):
    """Class 1 where the mean of one half of the image is above one half."""

    def __init__(self, left: bool) -> None:
        super().__init__()
        self.left = left

    def forward(self, images: Tensor) -> Tensor:
        half = images[..., :4] if self.left else images[..., 4:]
        mean = half.mean((1, 2, 3))
        return torch.stack([0.5 - mean, mean - 0.5], 1)


NETWORKS = {"left": Brighter(True), "right": Brighter(False)}
LABELS = torch.tensor([1, 1, 0, 0])


def make_attacked(*halves: tuple[float, float]) -> Tensor:
    """Images of 8 x 8, each with a brightness of the left and of the right half."""
    values = torch.tensor(halves, dtype=torch.float32)
    return values.repeat_interleave(4, 1)[:, None, None, :].expand(-1, 1, 8, -1)


# the attack on `left` darkens the left half of two images, and that on `right` of one image both halves
ATTACKED = {
    "left": make_attacked((0, 1), (1, 1), (1, 0), (0, 0)),
    "right": make_attacked((1, 0), (0, 0), (0, 0), (0, 0)),
}


def test_matrix_has_the_accuracy_of_every_target_on_every_source() -> None:
    table = transfer_matrix(NETWORKS, ATTACKED, LABELS)
    assert [*table.itertuples(index=False, name=None)] == [
        ("left", "left", 0.5),
        ("left", "right", 1.0),
        ("right", "left", 0.75),
        ("right", "right", 0.5),
    ]


def make_run(attacked: Tensor, *, eps: tuple[float, ...] = (0.1,), **changes: object) -> AttackedRun:
    """The same images at every strength."""
    images = np.stack([attacked.permute(0, 2, 3, 1).numpy()] * len(eps), axis=1)
    fields = {"dataset": "made", "norm": "linf", "rows": np.arange(4), "labels": LABELS.numpy()}
    return AttackedRun(images=images, eps=eps, **{**fields, **changes})


def load(run: str) -> nn.Module:
    return NETWORKS[run]


def test_gains_are_the_images_that_only_transferred_ones_break() -> None:
    runs = {name: make_run(images) for name, images in ATTACKED.items()}
    pairs, gains = transfer_tables(runs, load)
    assert list(pairs.columns) == PAIRS and list(gains.columns) == GAINS
    assert len(pairs) == 4 and set(pairs["eps"]) == {"0.1"} and set(pairs["dataset"]) == {"made"}
    # of `left` its own attack leaves images 1 and 3, of which the attack on `right` breaks 1
    assert gains[["target", *GAINS[4:]]].to_numpy().tolist() == [["left", 0.5, 0.75, 0.25], ["right", 0.5, 1.0, 0.0]]


@pytest.mark.parametrize(
    "changes",
    [
        {"dataset": "other"},
        {"norm": "l2"},
        {"rows": np.array([0, 1, 2, 9])},
        {"labels": np.array([1, 1, 0, 1])},
        {"eps": (0.2,)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_runs_attacked_otherwise_are_not_compared(changes: dict[str, object]) -> None:
    runs = {"left": make_run(ATTACKED["left"]), "right": make_run(ATTACKED["right"], **changes)}
    pairs, gains = transfer_tables(runs, load)
    assert pairs.empty and list(pairs.columns) == PAIRS
    assert gains.empty and list(gains.columns) == GAINS


def test_only_strengths_of_both_are_compared() -> None:
    runs = {
        "left": make_run(ATTACKED["left"], eps=(0.05, 0.1, 0.3)),
        "right": make_run(ATTACKED["right"], eps=(0.3, 0.1)),
    }
    pairs, _ = transfer_tables(runs, load)
    assert pairs["eps"].tolist() == ["0.1"] * 4 + ["0.3"] * 4


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """Write what the stage `attack` leaves of a run."""

    def write(run: str, **arrays: np.ndarray) -> Path:
        for name, array in arrays.items():
            prepared.save_array(tmp_path / run, name, array)
        return tmp_path / run

    return write


def test_stored_images_are_read(save: Callable[..., Path]) -> None:
    stacked = [ATTACKED["left"].permute(0, 2, 3, 1).numpy(), np.zeros((4, 8, 8, 1))]
    images = np.stack(stacked, axis=1).astype(np.float32)
    folder = save("left", attacked=images, rows=np.arange(4), labels=LABELS.numpy(), eps=np.array([0.1, 0.2]))
    found = read_attacked(folder, dataset="made", norm="linf")
    assert found is not None and found.eps == (0.1, 0.2) and found.comparable(make_run(ATTACKED["left"]))
    assert torch.equal(found.at(0.1), ATTACKED["left"]) and not found.at(0.2).any()


@pytest.mark.parametrize("missing", ["attacked", "rows", "labels", "eps"])
def test_a_run_without_a_file_takes_no_part(save: Callable[..., Path], missing: str) -> None:
    arrays = {name: np.zeros(1) for name in ("attacked", "rows", "labels", "eps") if name != missing}
    assert read_attacked(save("left", **arrays), dataset="made", norm="linf") is None
