"""Trainings of both halves on small prepared data."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from cvnlp import domains
from cvnlp.params.network_config import ImageFormat
from cvnlp.params.vision_networks import LinearOptions
from cvnlp.vision.models import Classifier
from make_trainings import Trained, run_training


@pytest.fixture
def train(vision_data: Path, language_data: Path, tmp_path: Path) -> Callable[..., Trained]:
    """Train a network of a half; `resume` is the name of the folder with the state, by default a new one."""
    data = {"vision": vision_data, "language": language_data}
    count = iter(range(100))

    def run(half: str, *, resume: str | None = None, **options: Any) -> Trained:
        number = next(count)
        state = tmp_path / (resume or f"resume-{number}")
        return run_training(half, data[half], tmp_path / f"model-{number}", resume=state, **options)

    return run


@pytest.fixture(scope="module")
def train_in_module(
    vision_data: Path, language_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Trained]:
    """Train a network of a half, for all tests of a module."""
    data = {"vision": vision_data, "language": language_data}

    def run(half: str, **options: Any) -> Trained:
        return run_training(half, data[half], tmp_path_factory.mktemp("model"), **options)

    return run


class Normed(Classifier):
    """A network with batch normalisation, dropout and weights that are used twice: an average must handle all three."""

    def __init__(self, images: ImageFormat, options: LinearOptions) -> None:
        super().__init__(images)
        height, width, channels = images.shape
        shared = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        block = [nn.Conv2d(channels, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), shared, nn.BatchNorm2d(4), shared]
        self.layers = nn.Sequential(
            *block, nn.Flatten(), nn.Dropout(0.1), nn.Linear(4 * height * width, images.classes)
        )


@pytest.fixture
def normed(monkeypatch: pytest.MonkeyPatch) -> tuple[str, dict[str, Any]]:
    """The network above, by the name of one without options."""
    monkeypatch.setitem(domains.DOMAINS["vision"].models.MODELS, "linear", Normed)
    return "linear", {}
