"""Which task trains a network, and which options a gradient-free network refuses."""

from pathlib import Path
from typing import Any

import pytest

from cvnlp import domains
from cvnlp.training import trainer
from cvnlp.training.gradient_free import GradientFreeNetwork
from make_networks import classifier, language_model
from make_trainings import make_options

NETWORKS = {
    "vision": {"neocognitron": lambda: classifier("neocognitron"), "mlp": lambda: classifier("mlp")},
    "language": {"ngram": lambda: language_model("ngram"), "lstm": lambda: language_model("lstm")},
}


def make_task(half: str, name: str, **options: Any) -> Any:
    settings = make_options(half, **{"epoch_tokens": None} if half == "language" else {}, **options)
    room = domains.DOMAINS[half].training
    return trainer.make_task(room, NETWORKS[half][name](), settings, folder=Path(), seed=1)


@pytest.mark.parametrize(
    ("half", "name", "kind"),
    [
        ("vision", "neocognitron", "GradientFreeTask"),
        ("vision", "mlp", "Task"),
        ("language", "ngram", "GradientFreeTask"),
        ("language", "lstm", "Task"),
    ],
)
def test_the_network_decides_the_task(half: str, name: str, kind: str) -> None:
    network = NETWORKS[half][name]()
    epochs = network.min_epochs if isinstance(network, GradientFreeNetwork) else 3
    assert type(make_task(half, name, epochs=epochs)) is getattr(domains.DOMAINS[half].training, kind)


@pytest.mark.parametrize(("half", "name"), [("vision", "neocognitron"), ("language", "ngram")])
def test_an_average_of_weights_is_refused(half: str, name: str) -> None:
    epochs = NETWORKS[half][name]().min_epochs
    with pytest.raises(ValueError, match=r"train\.average: ema .*take none"):
        make_task(half, name, epochs=epochs, average="ema")


def test_too_few_epochs_for_all_stages_are_refused() -> None:
    least = NETWORKS["vision"]["neocognitron"]().min_epochs
    with pytest.raises(ValueError, match=rf"train\.epochs: {least - 1} is too few.*take {least} or more"):
        make_task("vision", "neocognitron", epochs=least - 1)
    make_task("vision", "neocognitron", epochs=0)
