"""Callbacks of a training."""

from types import SimpleNamespace

import pytest
import torch

from cvnlp.training.callbacks import EpochLines, EpochSeed


def draw(epoch: int, seed: int = 1, rank: int = 0) -> list[float]:
    EpochSeed(seed).on_train_epoch_start(SimpleNamespace(current_epoch=epoch, global_rank=rank), None)
    return torch.rand(4).tolist()


def test_every_epoch_has_random_numbers_of_its_own() -> None:
    drawn = [draw(epoch) for epoch in range(3)]
    assert drawn[0] != drawn[1] != drawn[2]
    assert draw(1) == drawn[1]
    assert draw(1, seed=2) != drawn[1]


def test_every_process_has_random_numbers_of_its_own() -> None:
    assert draw(1, rank=1) != draw(1)
    assert draw(1, rank=1) == draw(1, rank=1)


def test_a_line_per_epoch_has_run_epoch_and_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = {"validation_nll": torch.tensor(1.23456), "lr": torch.tensor(0.5)}
    trainer = SimpleNamespace(callback_metrics=metrics, current_epoch=1, max_epochs=5)
    EpochLines("mine").on_validation_end(trainer, None)
    assert capsys.readouterr().out == "train mine: epoch 2/5: lr 0.5, validation_nll 1.235\n"
