"""Easy pictures left out of an epoch: which, how many, and that the others count for them."""

from typing import Any

import numpy as np
import pytest
import torch

from cvnlp import domains
from cvnlp.params.runs import VisionTrain
from cvnlp.vision.batches import prune

COUNT, EASY, SKIP = 1000, 0.75, 0.6
LEFT_OUT = 450


def losses() -> np.ndarray:
    return np.random.default_rng(3).permutation(COUNT).astype(np.float32)


def choose(epoch: int, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    given = {"easy": EASY, "skip": SKIP, "epochs": 16, "seed": 1} | options
    return prune(given.pop("losses", losses()), epoch=epoch, **given)


@pytest.mark.parametrize("epoch", range(16))
def test_every_epoch_is_equally_long_and_counts_as_much_as_all_pictures(epoch: int) -> None:
    read, weights = choose(epoch)
    assert (~read).sum() == LEFT_OUT
    assert weights[read].sum() == pytest.approx(COUNT)


def test_only_easy_pictures_are_left_out_and_only_they_count_more() -> None:
    read, weights = choose(5)
    easy = losses() < COUNT * EASY
    assert not read[easy].all()
    assert read[~easy].all()
    assert set(weights[~easy]) == {1.0}
    assert weights[easy] == pytest.approx(1 / (1 - SKIP))


@pytest.mark.parametrize("epoch", [0, 14, 15])
def test_the_first_epoch_and_the_last_ones_leave_out_of_all_pictures(epoch: int) -> None:
    read, weights = choose(epoch)
    hard = losses() >= COUNT * EASY
    assert 0 < (~read[hard]).sum() < hard.sum()
    assert len(set(weights)) == 1


def test_the_gradient_is_in_the_mean_that_of_all_pictures() -> None:
    """Over many draws every picture counts 1; the tolerance is five standard errors."""
    draws = 400
    counted = np.mean([np.where(read, weights, 0) for read, weights in (choose(5, seed=n) for n in range(draws))], 0)
    spread = 5 * np.sqrt(SKIP / (1 - SKIP) / draws)
    assert counted == pytest.approx(np.ones(COUNT), abs=spread)


def test_what_was_not_read_yet_is_not_easy() -> None:
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
def test_some_picture_is_always_read(count: int, epoch: int) -> None:
    read, weights = choose(epoch, losses=np.zeros(count, np.float32), easy=0.99, skip=0.4)
    assert read.any()
    assert weights[read].sum() == pytest.approx(count)


@pytest.mark.parametrize("balanced", [False, True])
def test_pictures_that_count_alike_have_the_plain_mean_of_the_loss(balanced: bool) -> None:
    torch.manual_seed(1)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 3))
    options = VisionTrain(epochs=1, batch_size=4, label_smoothing=0.1).model_dump()
    images, labels = torch.rand(3, 1, 2, 2), torch.tensor([0, 1, 2])
    task, plain = (
        domains.DOMAINS["vision"].training.Task(network, options | {"prune": pruned})
        for pruned in ({"easy": EASY, "skip": SKIP}, None)
    )
    task.losses, task.read, task.weights = torch.full((9,), torch.inf), torch.arange(7, 0, -1), torch.full((9,), 2.5)
    if balanced:
        task.class_weights = plain.class_weights = torch.tensor([0.5, 1.0, 3.0])
    loss = task.training_step((images, labels), 1)
    assert torch.allclose(loss, plain.training_step((images, labels)))
    assert torch.isfinite(task.losses).nonzero()[:, 0].tolist() == [1, 2, 3]  # the second batch: 3, 2, 1


def test_a_picture_that_counts_more_pulls_as_often() -> None:
    torch.manual_seed(1)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 3))
    options = VisionTrain(epochs=1, batch_size=3).model_dump()
    images, labels = torch.rand(3, 1, 2, 2), torch.tensor([0, 1, 2])
    task = domains.DOMAINS["vision"].training.Task(network, options | {"prune": {"easy": EASY, "skip": SKIP}})
    task.losses, task.read, task.weights = torch.zeros(3), torch.arange(3), torch.tensor([1.0, 2.0, 1.0])
    twice = torch.tensor([0, 1, 1, 2])
    expected = torch.nn.functional.cross_entropy(network(images[twice]), labels[twice])
    assert torch.allclose(task.training_step((images, labels), 0), expected)
