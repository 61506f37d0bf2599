"""Published data sets: each format is read exactly, and refused if it contradicts its header."""

import contextlib
import csv
import dataclasses
import gzip
import itertools
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cvnlp.catalogue import SOURCES
from cvnlp.data import prepared
from cvnlp.data.download.fetch import fetch
from cvnlp.data.prepared import VisionFacts
from cvnlp.params.datasets import VisionDataset
from cvnlp.vision import data
from cvnlp.vision.data import published
from cvnlp.vision.data.image_set import ImageSet, of_arrays

CLASSES = ["zero", "one", "two"]
SPLIT_SIZES = {"validation": 6, "test": 9}


def made_pictures(count: int = 60) -> ImageSet:
    """Images of noise in colour, all different, with alternating classes."""
    images = np.random.default_rng(0).integers(0, 256, (count, 5, 4, 3), dtype=np.uint8)
    return of_arrays(images, (np.arange(count) % len(CLASSES)).astype(np.uint8), CLASSES)


def options_of(source: str, **options: Any) -> VisionDataset:
    return VisionDataset(domain="vision", source=source, **{"seed": 1} | options)


def prepare(folder: Path, pictures: ImageSet, **options: Any) -> VisionFacts:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(published.READERS, "mnist_sample", lambda raw: pictures)
        return data.prepare(Path("unused"), folder, options_of("mnist_sample", **SPLIT_SIZES | options))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    prepare(tmp_path / "made", made_pictures())
    return tmp_path / "made"


# mnist_sample ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("raw")


@pytest.fixture(scope="module")
def digits(raw: Path) -> ImageSet:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CVNLP_MIRROR", raising=False)
        return published.READERS["mnist_sample"](raw)


def test_mnist_sample_is_500_grey_images_of_every_digit(digits: ImageSet) -> None:
    assert digits.shape == (28, 28, 1)
    assert digits.classes == [str(digit) for digit in range(10)]
    assert np.bincount(digits.labels).tolist() == [500] * 10


def test_mnist_sample_uses_the_full_range_of_a_pixel_on_black_ground(digits: ImageSet) -> None:
    images = digits.rows(np.arange(5000))
    assert (images.dtype, images.shape) == (np.uint8, (5000, 28, 28, 1))
    assert (images.min(), images.max()) == (0, 255)
    assert np.median(images) == 0
    assert (images.reshape(5000, -1).max(1) > 150).all()  # no image is empty


def test_pixels_are_row_by_row_as_in_the_file(digits: ImageSet, raw: Path) -> None:
    path = fetch("mnist_sample", raw)["mnist_5k.csv"]
    with path.open(encoding="ascii") as file:
        for number, line in enumerate(itertools.islice(csv.reader(file), 3)):
            *pixels, label = (float(value) for value in line)
            assert digits.rows(np.array([number])).flatten().tolist() == pixels
            assert digits.labels[number] == label


# IDX ------------------------------------------------------------------------------------------------------------------


def idx(array: np.ndarray) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + np.array(array.shape, dtype=">u4").tobytes() + array.tobytes()


@pytest.fixture
def idx_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, noise: Callable[..., np.ndarray]) -> dict[str, Path]:
    """Seven training images and four test images."""
    paths = {}
    for place, (name, count) in enumerate((("train", 7), ("t10k", 4))):
        for kind, array in (("images-idx3", noise(place, (count, 4, 3))), ("labels-idx1", noise(9, (count,)) % 10)):
            paths[f"{name}-{kind}-ubyte"] = tmp_path / f"{name}-{kind}-ubyte"
            paths[f"{name}-{kind}-ubyte"].write_bytes(idx(array))
    monkeypatch.setattr(published, "fetch", lambda name, raw: paths)
    return paths


@pytest.mark.parametrize("source", ["mnist", "fashion_mnist"])
def test_idx_files_are_read_exactly(idx_paths: dict[str, Path], noise: Callable[..., np.ndarray], source: str) -> None:
    pictures = published.READERS[source](Path("unused"))
    wanted = np.concatenate([noise(0, (7, 4, 3)), noise(1, (4, 4, 3))])[..., None]
    for indices in (np.arange(11), np.array([0, 6, 7, 10]), np.array([8]), np.array([2])):
        assert np.array_equal(pictures.rows(indices), wanted[indices])
    assert pictures.labels.tolist() == [*(noise(9, (7,)) % 10), *(noise(9, (4,)) % 10)]
    assert {split: indices.tolist() for split, indices in pictures.given.items()} == {
        "train": list(range(7)),
        "test": list(range(7, 11)),
    }


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train-images-idx3-ubyte", b"", "is not an IDX file of bytes in 3 dimensions: it begins with b''"),
        ("train-images-idx3-ubyte", idx(np.zeros((7, 12), np.uint8)), "is not an IDX file of bytes in 3 dimensions"),
        ("t10k-labels-idx1-ubyte", b"\0\0\x0b\1" + bytes(8), "is not an IDX file of bytes in 1 dimensions"),
        (
            "t10k-images-idx3-ubyte",
            idx(np.zeros((4, 4, 3), np.uint8))[:-1],
            r"a header for the shape \(4, 4, 3\), but",
        ),
        (
            "t10k-images-idx3-ubyte",
            idx(np.zeros((4, 4, 3), np.uint8)) + b"x",
            r"a header for the shape \(4, 4, 3\), but",
        ),
        ("t10k-images-idx3-ubyte", idx(np.zeros((3, 4, 3), np.uint8)), "but there are 4 labels"),
        ("t10k-images-idx3-ubyte", idx(np.zeros((4, 5, 3), np.uint8)), r"contains images of shape \(4, 5, 3\)"),
        ("train-labels-idx1-ubyte", idx(np.full(7, 10, np.uint8)), "contains the label 10, but there are 10 classes"),
        ("train-labels-idx1-ubyte", idx(np.zeros(0, np.uint8)), r"has a header for the shape \(0,\)"),
    ],
)
def test_idx_file_that_contradicts_its_header_is_refused(
    idx_paths: dict[str, Path], name: str, content: bytes, message: str
) -> None:
    idx_paths[name].write_bytes(content)
    with pytest.raises(ValueError, match=f"{name} {message}|{message}"):
        published.READERS["mnist"](Path("unused"))


# CIFAR-10 -------------------------------------------------------------------------------------------------------------


def make_cifar10(path: Path, batches: list[np.ndarray]) -> None:
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    with tarfile.open(path, "w:gz") as archive:
        for name, batch in reversed(list(zip(names, batches, strict=True))):
            file = path.with_name(name)
            file.write_bytes(batch.tobytes())
            archive.add(file, f"cifar-10-batches-bin/{name}.bin")


@pytest.fixture
def cifar10(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, noise: Callable[..., np.ndarray]) -> list[np.ndarray]:
    """Six batches of two records, whose label is 0 or 9."""
    batches = [noise(number, (2, 3073)) for number in range(6)]
    for batch in batches:
        batch[:, 0] = (0, 9)
    path = tmp_path / "cifar-10-binary.tar.gz"
    make_cifar10(path, batches)
    monkeypatch.setattr(published, "fetch", lambda name, raw: {path.name: path})
    return batches


def test_cifar10_planes_become_channels(cifar10: list[np.ndarray]) -> None:
    pictures = published.READERS["cifar10"](Path("unused"))
    records = np.concatenate(cifar10)
    images = pictures.rows(np.arange(12))
    for number, y, x in ((0, 0, 0), (3, 5, 31), (11, 31, 7)):
        place = 1 + 32 * y + x
        assert images[number, y, x].tolist() == records[number, [place, place + 1024, place + 2048]].tolist()
    assert pictures.labels.tolist() == [0, 9] * 6
    assert pictures.given["test"].tolist() == [10, 11]
    assert np.array_equal(pictures.rows(np.array([4, 10])), images[[4, 10]])
    pictures.close()


@pytest.mark.parametrize(
    ("place", "change", "message"),
    [
        (2, lambda batch: batch[:, :-1], r"data_batch_3.bin .* has 6144 bytes, not records of 3073"),
        (5, lambda batch: batch[:0], r"test_batch.bin .* has 0 bytes"),
        (0, lambda batch: batch + 1, r"data_batch_1.bin .* contains the label 10"),
    ],
)
def test_damaged_batch_is_named(
    cifar10: list[np.ndarray], tmp_path: Path, place: int, change: Callable[..., np.ndarray], message: str
) -> None:
    cifar10[place] = change(cifar10[place])
    make_cifar10(tmp_path / "cifar-10-binary.tar.gz", cifar10)
    with pytest.raises(ValueError, match=message):
        published.READERS["cifar10"](Path("unused"))


# The table ------------------------------------------------------------------------------------------------------------


def test_every_source_of_images_has_a_reader() -> None:
    assert set(published.READERS) == {name for name, source in SOURCES.items() if source.domain == "vision"}


@pytest.mark.parametrize("source", ["mnist", "fashion_mnist", "cifar10"])
def test_readers_give_the_splits_of_the_catalogue(request: pytest.FixtureRequest, source: str) -> None:
    request.getfixturevalue("cifar10" if source == "cifar10" else "idx_paths")
    pictures = published.READERS[source](Path("unused"))
    assert set(pictures.given) == {"train", *SOURCES[source].official_splits}
    assert len(pictures.classes) == 10
    pictures.close()


@pytest.mark.parametrize("source", published.READERS)
def test_held_out_split_that_contradicts_the_source_is_refused_before_the_download(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(published.READERS, source, lambda raw: pytest.fail("fetched"))
    wrong = {split: 100 if split in SOURCES[source].official_splits else None for split in ("validation", "test")}
    with pytest.raises(ValueError, match=f"the source {source} has"):
        data.prepare(tmp_path, tmp_path / "out", options_of(source, **wrong))


def test_gzipped_copies_of_a_mirror_are_prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the real `fetch`, which unzips; only the digests are those of the made files."""
    from cvnlp import files

    generator = np.random.default_rng(0)
    made = {}
    for name, count in (("train", 40), ("t10k", 10)):
        made[f"{name}-images-idx3-ubyte"] = idx(generator.integers(0, 256, (count, 4, 3), dtype=np.uint8))
        made[f"{name}-labels-idx1-ubyte"] = idx((np.arange(count) % 10).astype(np.uint8))
    (tmp_path / "mirror" / "mnist").mkdir(parents=True)
    for file in SOURCES["mnist"].files:
        (tmp_path / "plain").write_bytes(made[file.name])
        monkeypatch.setitem(file.__dict__, "sha256", files.sha256(tmp_path / "plain"))
        monkeypatch.setitem(file.__dict__, "size", len(made[file.name]))
        with gzip.open(tmp_path / "mirror" / "mnist" / f"{file.name}.gz", "wb") as zipped:
            zipped.write(made[file.name])
    monkeypatch.setenv("CVNLP_MIRROR", str(tmp_path / "mirror"))
    facts = data.prepare(tmp_path / "raw", tmp_path / "out", options_of("mnist", validation=10, test=None))
    assert [sum(facts.counts[split].values()) for split in prepared.SPLITS] == [30, 10, 10]
    assert prepared.load_array(tmp_path / "out", "test_images").tobytes() == made["t10k-images-idx3-ubyte"][16:]


# Preparing ------------------------------------------------------------------------------------------------------------


def test_images_keep_their_labels(folder: Path) -> None:
    pictures = made_pictures()
    images = pictures.rows(np.arange(60))
    known = {image.tobytes(): label for image, label in zip(images, pictures.labels, strict=True)}
    for name in prepared.SPLITS:
        found = [known[picture.tobytes()] for picture in prepared.load_array(folder, f"{name}_images")]
        assert found == prepared.load_array(folder, f"{name}_labels").tolist()


def test_images_are_stored_as_bytes_with_the_channel_last(folder: Path) -> None:
    for name, count in {"train": 45, **SPLIT_SIZES}.items():
        array = prepared.load_array(folder, f"{name}_images")
        assert (array.dtype, array.shape) == (np.uint8, (count, 5, 4, 3))
        assert prepared.load_array(folder, f"{name}_labels").dtype == np.uint8


def test_labels_of_many_classes_are_wider(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (900, 2, 2, 1), dtype=np.uint8)
    pictures = of_arrays(images, np.arange(900) % 300, [str(number) for number in range(300)])
    prepare(tmp_path, pictures, validation=300, test=300)
    assert prepared.load_array(tmp_path, "train_labels").dtype == np.uint16
    assert prepared.load_array(tmp_path, "train_labels").max() == 299


def test_facts_count_the_images_of_every_class(folder: Path) -> None:
    counts = prepared.read_facts(folder).counts
    assert counts == {name: dict.fromkeys(CLASSES, count // 3) for name, count in {"train": 45, **SPLIT_SIZES}.items()}


def test_mean_and_deviation_are_of_the_training_pixels_in_unit_range(folder: Path) -> None:
    pixels = prepared.load_array(folder, "train_images").astype(np.float64).reshape(-1, 3) / 255
    facts = prepared.read_facts(folder)
    np.testing.assert_allclose(facts.mean, pixels.mean(0), rtol=1e-12)
    np.testing.assert_allclose(facts.std, pixels.std(0), rtol=1e-12)


def test_splits_larger_than_a_chunk_are_written_completely(tmp_path: Path) -> None:
    """Chunks have 1 MiB; an image has 120 kB."""
    images = np.random.default_rng(0).integers(0, 256, (60, 200, 200, 3), dtype=np.uint8)
    labels, read = np.arange(60) % len(CLASSES), []
    made = of_arrays(images, labels.astype(np.uint8), CLASSES)

    def rows(indices: np.ndarray) -> np.ndarray:
        read.append(len(indices))
        return images[indices]

    facts = prepare(tmp_path, dataclasses.replace(made, rows=rows))
    known = {image.tobytes(): label for image, label in zip(images, labels, strict=True)}
    for name in prepared.SPLITS:
        found = [known[image.tobytes()] for image in prepared.load_array(tmp_path, f"{name}_images")]
        assert found == prepared.load_array(tmp_path, f"{name}_labels").tolist()
    pixels = prepared.load_array(tmp_path, "train_images").astype(np.float64).reshape(-1, 3) / 255
    np.testing.assert_allclose(facts.mean, pixels.mean(0), rtol=1e-12)
    np.testing.assert_allclose(facts.std, pixels.std(0), rtol=1e-10)
    assert max(read) * images[0].nbytes <= 2**20
    assert sum(read) == 2 * 60  # once for the digests, once to be written


@pytest.mark.parametrize("validation", [6, 7])
def test_image_set_is_closed_after_success_and_failure(tmp_path: Path, validation: int) -> None:
    closed: list[bool] = []
    pictures = dataclasses.replace(made_pictures(), close=lambda: closed.append(True))
    with contextlib.suppress(ValueError):
        prepare(tmp_path, pictures, validation=validation)
    assert closed == [True]


def test_held_out_images_do_not_change_the_statistics_of_training_images(tmp_path: Path, folder: Path) -> None:
    pictures, labels = made_pictures(), made_pictures().labels
    images = pictures.rows(np.arange(60))
    train = {image.tobytes() for image in prepared.load_array(folder, "train_images")}
    for number, image in enumerate(images):
        if image.tobytes() not in train:
            image[:] = number
    facts, before = prepare(tmp_path / "other", of_arrays(images, labels, CLASSES)), prepared.read_facts(folder)
    assert (facts.mean, facts.std) == (before.mean, before.std)


def test_facts_name_source_licence_and_citation(folder: Path) -> None:
    facts, source = prepared.read_facts(folder), SOURCES["mnist_sample"]
    assert (facts.source, facts.licence, facts.citation) == ("mnist_sample", source.licence, source.citation)
    assert (facts.shape, facts.classes) == ([5, 4, 3], CLASSES)
    assert facts.domain == "vision"
    assert facts.read is None and facts.skipped is None
    assert not (folder / "files.csv").exists()


def test_returned_facts_are_those_on_disk(tmp_path: Path) -> None:
    returned = prepare(tmp_path / "made", made_pictures())
    stored = prepared.read_facts(tmp_path / "made")
    assert set(stored.arrays) == {f"{name}_{kind}" for name in prepared.SPLITS for kind in ("images", "labels")}
    assert stored == returned


def test_preparation_is_deterministic(
    tmp_path: Path, folder: Path, contents: Callable[[Path], dict[str, bytes]]
) -> None:
    prepare(tmp_path / "again", made_pictures())
    assert contents(tmp_path / "again") == contents(folder)


def test_another_seed_prepares_other_splits(tmp_path: Path, folder: Path) -> None:
    prepare(tmp_path / "other", made_pictures(), seed=2)
    assert (folder / "test_images.npy").read_bytes() != (tmp_path / "other" / "test_images.npy").read_bytes()


# Copies ---------------------------------------------------------------------------------------------------------------


def made_copies() -> ImageSet:
    """30 and 31 are copies of 0 and 3, 32 of 1 in another class; in the test split, 34 and 35 of 4 and 5."""
    base = made_pictures(37)
    images, labels = base.rows(np.arange(37)), base.labels
    for copy, original in ((30, 0), (31, 3), (32, 1), (34, 4), (35, 5)):
        images[copy] = images[original]
    labels[[30, 31]] = 0
    given = {"train": np.arange(34), "test": np.arange(34, 37)}
    labels[[34, 35, 36]] = (1, 2, 0)
    both = of_arrays(images, labels, CLASSES)
    return ImageSet(CLASSES, labels, both.shape, both.rows, given)


def prepare_copies(folder: Path, duplicates: str) -> VisionFacts:
    """As a source that brings a test split."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(published.READERS, "mnist", lambda raw: made_copies())
        return data.prepare(Path("unused"), folder, options_of("mnist", duplicates=duplicates, validation=3))


def test_copies_are_counted_and_listed(tmp_path: Path) -> None:
    found = prepare_copies(tmp_path, "keep")
    counts = found.duplicates
    assert sum(counts.within.values()) + sum(counts.across.values()) == 5
    assert counts.across["train-test"] + counts.across["validation-test"] == 2
    assert counts.dropped == {"train": 0, "test": 0}
    assert found.conflicting == 1
    with (tmp_path / "duplicates.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5
    for row in rows:
        one, other = (
            prepared.load_array(tmp_path, f"{row[split]}_images")[int(row[place])]
            for split, place in (("split", "row"), ("copy_split", "copy_row"))
        )
        assert np.array_equal(one, other)


def test_dropped_copies_leave_the_given_test_split_as_it_is(tmp_path: Path) -> None:
    found = prepare_copies(tmp_path, "drop")
    counts = found.duplicates
    assert counts.dropped == {"train": 5, "test": 0}
    assert not any(counts.within.values())
    assert not any(counts.across.values())
    assert found.conflicting == 1
    test = prepared.load_array(tmp_path, "test_images")
    assert np.array_equal(test, made_copies().rows(np.array([34, 35, 36])))
    assert (tmp_path / "duplicates.csv").read_text().splitlines() == ["split,row,copy_split,copy_row"]
