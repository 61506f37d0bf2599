"""Weights of images in the loss: by class, and with pruning, where easy images are left out of an epoch."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cvnlp.params.runs import Prune
from cvnlp.vision.training.sample_weights import class_weights, prune

COUNT, EASY, SKIP = 1000, 0.75, 0.6
LEFT_OUT = 450


def test_class_weights_are_inverse_frequencies(unbalanced: Path) -> None:
    assert class_weights(unbalanced).tolist() == pytest.approx([200 / 360, 200 / 40, 0.0])


# Pruning


def losses() -> np.ndarray:
    return np.random.default_rng(3).permutation(COUNT).astype(np.float32)


def choose(epoch: int, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    given = {"losses": losses(), "options": Prune(easy=EASY, skip=SKIP), "epochs": 16, "seed": 1} | options
    return prune(epoch=epoch, **given)


@pytest.mark.parametrize("epoch", range(16))
def test_every_epoch_has_the_same_length_and_the_weight_of_all_images(epoch: int) -> None:
    kept, weights = choose(epoch)
    assert (~kept).sum() == LEFT_OUT
    assert weights[kept].sum() == pytest.approx(COUNT)


def test_only_easy_images_are_left_out_and_weighted_up() -> None:
    kept, weights = choose(5)
    easy = losses() < COUNT * EASY
    assert not kept[easy].all()
    assert kept[~easy].all()
    assert set(weights[~easy]) == {1.0}
    assert weights[easy] == pytest.approx(1 / (1 - SKIP))


@pytest.mark.parametrize("epoch", [0, 14, 15])
def test_in_the_first_and_the_last_epochs_all_images_can_be_left_out(epoch: int) -> None:
    kept, weights = choose(epoch)
    hard = losses() >= COUNT * EASY
    assert 0 < (~kept[hard]).sum() < hard.sum()
    assert len(set(weights)) == 1


def test_the_expected_gradient_is_that_of_all_images() -> None:
    """The mean weight of every image over many draws is 1; the tolerance is five standard errors."""
    draws = 400
    counted = np.mean([np.where(kept, weights, 0) for kept, weights in (choose(5, seed=n) for n in range(draws))], 0)
    spread = 5 * np.sqrt(SKIP / (1 - SKIP) / draws)
    assert counted == pytest.approx(np.ones(COUNT), abs=spread)


def test_an_image_without_a_loss_is_not_easy() -> None:
    found = losses()
    found[:200] = np.inf
    assert choose(1, losses=found)[0][:200].all()


def test_seed_and_epoch_decide_the_choice() -> None:
    first = choose(3)[0]
    assert (choose(3)[0] == first).all()
    assert (choose(4)[0] != first).any()
    assert (choose(3, seed=2)[0] != first).any()


@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize("epoch", [0, 1])
def test_at_least_one_image_is_always_kept(count: int, epoch: int) -> None:
    kept, weights = choose(epoch, losses=np.zeros(count, np.float32), options=Prune(easy=0.99, skip=0.4))
    assert kept.any()
    assert weights[kept].sum() == pytest.approx(count)
