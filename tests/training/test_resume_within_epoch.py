"""A training that is killed within an epoch continues after the batch at which it was last saved, to the same bytes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cvnlp import domains
from cvnlp.launch.settings import Launch
from cvnlp.params.adversarial_training import Adversarial
from cvnlp.params.optimiser import Optimiser
from cvnlp.training import checkpoints
from make_trainings import InterruptionError, Trained, scripted

ALWAYS = 1e-9  # minutes: after every batch
VARIABLE: dict[str, Any] = {
    "window_lengths": "variable",
    "optimiser": Optimiser(name="sgd", schedule="constant", warmup=0),
    "epoch_tokens": None,
}
STALLING = [5.0, 4.0, 4.5, 4.2, 4.1, 3.0]
CASES: dict[str, tuple[str, int, dict[str, Any]]] = {  # half, epoch of the interruption, options
    "vision-first": ("vision", 0, {}),
    "vision-later": ("vision", 2, {}),
    "language-first": ("language", 0, {}),
    "language-later": ("language", 1, {}),
    "warm-up": ("vision", 0, {"optimiser": Optimiser(name="adamw", schedule="cosine", warmup=0.8)}),
    "variable-windows": ("language", 1, VARIABLE),
    "pruned": ("vision", 1, {"prune": {"easy": 0.75, "skip": 0.6}, "epochs": 4}),
    "ema": ("vision", 1, {"average": "ema", "average_decay": 0.8, "average_start": 0.0}),
    "swa": ("language", 2, {"average": "swa", "average_start": 0.5}),
    "nt_asgd": ("language", 4, {"average": "nt_asgd", "average_interval": 1, "epochs": 6, "wrap": scripted(STALLING)}),
    "adversarial": ("vision", 1, {"adversarial": Adversarial(method="fast", eps=0.1, validation_images=50)}),
    "plateau": ("language", 2, {"optimiser": Optimiser(name="sgd", schedule="plateau", factor=0.5)}),
    "accumulated": ("language", 1, {"launch": Launch(accumulate=2)}),
}


@pytest.mark.parametrize("name", CASES)
def test_it_ends_in_the_same_bytes(name: str, train: Callable[..., Trained], tmp_path: Path) -> None:
    half, epoch, options = CASES[name]
    whole = train(half, **options)
    with pytest.raises(InterruptionError):
        train(half, resume="state", interrupt=("batches", epoch), save_every=ALWAYS, **options)
    saved = 1 if "launch" in options else 2  # of two parts each, or whole ones
    assert checkpoints.reached(tmp_path / "state", processes=1) == checkpoints.Reached(epoch, saved)
    torch.rand(7)  # the random state is another than at the interruption
    steps: list[int] = []
    resumed = train(half, resume="state", **{**options, "wrap": counting(steps, options.get("wrap"))})
    assert resumed.weights == whole.weights
    assert resumed.fitted.history == whole.fitted.history
    assert resumed.fitted.examples == whole.fitted.examples
    assert steps[0] == saved * Launch.model_validate(options.get("launch", {})).accumulate  # none is repeated


def counting(steps: list[int], wrap: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    """Tasks that add the number of every batch in its epoch to `steps`."""

    def derive(task: Any) -> Any:
        class Counting(wrap(task) if wrap else task):
            def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
                steps.append(batch_idx)
                super().on_train_batch_start(batch, batch_idx)

        return Counting

    return derive


@pytest.mark.parametrize("half", domains.HALVES)
def test_saving_changes_nothing(half: str, train: Callable[..., Trained]) -> None:
    assert train(half, save_every=ALWAYS).weights == train(half).weights


def test_a_state_within_an_epoch_that_was_completed_later_is_not_used(
    train: Callable[..., Trained], tmp_path: Path
) -> None:
    whole = train("vision")
    for epoch in (0, 2):
        with pytest.raises(InterruptionError):
            often = {"save_every": ALWAYS} if epoch == 0 else {}
            train("vision", resume="state", interrupt=("batches", epoch), **often)
    assert checkpoints.reached(tmp_path / "state", processes=1) == checkpoints.Reached(2)
    assert train("vision", resume="state").weights == whole.weights


def test_another_number_of_processes_repeats_the_epoch(train: Callable[..., Trained], tmp_path: Path) -> None:
    with pytest.raises(InterruptionError):
        train("vision", resume="state", interrupt=("batches", 1), save_every=ALWAYS)
    assert checkpoints.reached(tmp_path / "state", processes=1) == checkpoints.Reached(1, 2)
    assert checkpoints.reached(tmp_path / "state", processes=2) == checkpoints.Reached(1)


def test_another_number_of_parts_is_refused_within_an_epoch(train: Callable[..., Trained]) -> None:
    with pytest.raises(InterruptionError):
        train("vision", resume="state", interrupt=("batches", 1), save_every=ALWAYS)
    with pytest.raises(ValueError, match=r"CVNLP_ACCUMULATE: .* with 1, and now it is 2; take 1 until the end"):
        train("vision", resume="state", launch=Launch(accumulate=2))
