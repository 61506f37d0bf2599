"""Pictures: read as they are, split by seed and class, described by the training split alone."""

import csv
import gzip
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cvnlp import domain, prepared, sources
from cvnlp.vision import data

CLASSES = ["zero", "one", "two"]
SPLIT_SIZES = {"validation": 6, "test": 9}


def made_pictures(count: int = 60) -> data.Pictures:
    """Noise in colour of which every picture differs from every other; the classes take turns."""
    images = np.random.default_rng(0).integers(0, 256, (count, 5, 4, 3), dtype=np.uint8)
    return images, (np.arange(count) % len(CLASSES)).astype(np.uint8), CLASSES


def prepare(folder: Path, pictures: data.Pictures, *, seed: int = 1, **sizes: int) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(data.SOURCES, "mnist_sample", lambda raw: pictures)
        return data.prepare(Path("unused"), folder, source="mnist_sample", seed=seed, **SPLIT_SIZES | sizes)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    prepare(tmp_path / "made", made_pictures())
    return tmp_path / "made"


# Reading --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> data.Pictures:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CVNLP_MIRROR", raising=False)
        return data.read_mnist_sample(tmp_path_factory.mktemp("raw"))


def test_mnist_sample_is_5000_grey_pictures(digits: data.Pictures) -> None:
    images, labels, classes = digits
    assert images.shape == (5000, 28, 28, 1)
    assert images.dtype == np.uint8
    assert labels.shape == (5000,)
    assert classes == [str(digit) for digit in range(10)]


def test_mnist_sample_has_500_pictures_of_every_digit(digits: data.Pictures) -> None:
    assert np.bincount(digits[1]).tolist() == [500] * 10


def test_mnist_sample_uses_the_full_range_of_a_pixel_on_black_ground(digits: data.Pictures) -> None:
    images = digits[0]
    assert (images.min(), images.max()) == (0, 255)
    assert np.median(images) == 0
    assert (images.reshape(5000, -1).max(1) > 150).all()  # no picture is empty


def test_pixels_stand_row_by_row_as_in_the_file(digits: data.Pictures, tmp_path: Path) -> None:
    path = sources.fetch("mnist_sample", tmp_path)
    with gzip.open(path, "rt", encoding="ascii") as file:
        for number, line in enumerate(itertools.islice(csv.reader(file), 3)):
            *pixels, label = (float(value) for value in line)
            assert digits[0][number].flatten().tolist() == pixels
            assert digits[1][number] == label


# Splitting ------------------------------------------------------------------------------------------------------------


def split(seed: int, **held_out: int) -> dict[str, np.ndarray]:
    return data.split_by_class(made_pictures()[1], SPLIT_SIZES | held_out, seed)


def test_every_picture_is_in_exactly_one_split() -> None:
    parts = split(seed=1)
    assert set(parts) == set(prepared.SPLITS)
    assert sorted(np.concatenate(list(parts.values()))) == list(range(60))


@pytest.mark.parametrize(("name", "count"), [("validation", 6), ("test", 9), ("train", 45)])
def test_every_class_has_the_same_share_of_a_split(name: str, count: int) -> None:
    labels = made_pictures()[1][split(seed=1)[name]]
    assert np.bincount(labels).tolist() == [count // 3] * 3


def test_classes_of_unequal_size_lose_the_same_number_of_pictures() -> None:
    labels = np.repeat([0, 1, 2], [5, 10, 20])
    parts = data.split_by_class(labels, {"validation": 6, "test": 3}, 1)
    assert np.bincount(labels[parts["train"]]).tolist() == [2, 7, 17]


def test_the_same_seed_draws_the_same_pictures() -> None:
    first, second = split(seed=3), split(seed=3)
    assert all(np.array_equal(first[name], second[name]) for name in prepared.SPLITS)


def test_another_seed_draws_other_pictures() -> None:
    first, second = split(seed=3), split(seed=4)
    assert not any(np.array_equal(first[name], second[name]) for name in prepared.SPLITS)


@pytest.mark.parametrize("name", SPLIT_SIZES)
def test_number_that_the_classes_cannot_share_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: 7 pictures do not divide evenly among 3 classes"):
        split(seed=1, **{name: 7})


@pytest.mark.parametrize("validation", [51, 60, 300])
def test_holding_out_a_whole_class_is_refused(validation: int) -> None:
    with pytest.raises(ValueError, match="nothing is left to train on"):
        split(seed=1, validation=validation)


# Preparing ------------------------------------------------------------------------------------------------------------


def test_pictures_stay_with_their_labels(folder: Path) -> None:
    images, labels, _ = made_pictures()
    known = {image.tobytes(): label for image, label in zip(images, labels, strict=True)}
    for name in prepared.SPLITS:
        pictures = prepared.load_array(folder, f"{name}_images")
        found = [known[picture.tobytes()] for picture in pictures]
        assert found == prepared.load_array(folder, f"{name}_labels").tolist()


def test_pictures_are_stored_as_bytes_with_the_channel_last(folder: Path) -> None:
    for name, count in {"train": 45, **SPLIT_SIZES}.items():
        array = prepared.load_array(folder, f"{name}_images")
        assert array.dtype == np.uint8
        assert array.shape == (count, 5, 4, 3)


def test_facts_count_the_pictures_of_every_class(folder: Path) -> None:
    counts = prepared.facts(folder)["counts"]
    assert counts == {name: dict.fromkeys(CLASSES, count // 3) for name, count in {"train": 45, **SPLIT_SIZES}.items()}


def test_mean_and_deviation_are_of_the_training_pixels_in_unit_range(folder: Path) -> None:
    pixels = prepared.load_array(folder, "train_images").astype(np.float64).reshape(-1, 3) / 255
    facts = prepared.facts(folder)
    np.testing.assert_allclose(facts["mean"], pixels.mean(0), rtol=1e-12)
    np.testing.assert_allclose(facts["std"], pixels.std(0), rtol=1e-12)


def test_held_out_pictures_change_no_fact_of_the_training_ones(tmp_path: Path, folder: Path) -> None:
    images, labels, classes = made_pictures()
    chosen = data.split_by_class(labels, SPLIT_SIZES, 1)
    images[np.concatenate([chosen["validation"], chosen["test"]])] = 255
    facts = prepare(tmp_path / "white", (images, labels, classes))
    before = prepared.facts(folder)
    assert (facts["mean"], facts["std"]) == (before["mean"], before["std"])


def test_facts_say_what_a_network_needs(folder: Path) -> None:
    facts = prepared.facts(folder)
    arguments = data.network_arguments(facts)
    assert arguments == {"shape": [5, 4, 3], "classes": 3, "mean": facts["mean"], "std": facts["std"]}
    assert facts["licence"] == sources.SOURCES["mnist_sample"].licence
    assert facts["domain"] in domain.HALVES


def test_returned_facts_are_those_on_disk_without_the_arrays(tmp_path: Path) -> None:
    returned = prepare(tmp_path / "made", made_pictures())
    stored = prepared.facts(tmp_path / "made")
    assert set(stored.pop("arrays")) == {f"{name}_{kind}" for name in prepared.SPLITS for kind in ("images", "labels")}
    assert stored == returned


def test_preparing_twice_gives_the_same_bytes(tmp_path: Path, folder: Path) -> None:
    prepare(tmp_path / "again", made_pictures())
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert first == {path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()}


def test_another_seed_prepares_other_splits(tmp_path: Path, folder: Path) -> None:
    prepare(tmp_path / "other", made_pictures(), seed=2)
    assert (folder / "test_images.npy").read_bytes() != (tmp_path / "other" / "test_images.npy").read_bytes()


def test_facts_are_written_when_all_arrays_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their presence means done: an interruption before leaves a folder that `facts` refuses."""
    save, left = prepared.save_array, iter(range(4))

    def save_some(folder: Path, name: str, array: np.ndarray) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        save(folder, name, array)

    monkeypatch.setattr(prepared, "save_array", save_some)
    with pytest.raises(KeyboardInterrupt):
        prepare(tmp_path / "made", made_pictures())
    assert len(list((tmp_path / "made").iterdir())) == 4
    with pytest.raises(ValueError, match=r"facts\.json is missing"):
        prepared.facts(tmp_path / "made")


@pytest.mark.parametrize("source", data.SOURCES)
def test_every_reader_has_a_source_to_fetch(source: str) -> None:
    assert source in sources.SOURCES
