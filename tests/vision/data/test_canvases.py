"""Canvases and the background class: positions of images, background windows, and the facts."""

import csv
import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.data.prepared import VisionFacts
from cvnlp.params.datasets import Canvases, VisionDataset
from cvnlp.vision import data
from cvnlp.vision.data import published
from cvnlp.vision.data.canvases import Composer
from cvnlp.vision.data.image_set import of_arrays
from cvnlp.vision.report import data_card
from report_contents import figure_names, texts, texts_of

OPTIONS = {"count": 3, "size": [40, 50], "pictures": 4, "background": 0.25}
SHAPE = (14, 7, 1)
SPLIT_SIZES = {"validation": 6, "test": 9}


def made_pictures(count: int = 60, shape: tuple[int, ...] = SHAPE) -> tuple[Any, Any, list[str]]:
    """Each image has one shade of its own, so that every pixel of a canvas shows from which image it is."""
    images = np.broadcast_to(np.arange(1, count + 1, dtype=np.uint8).reshape(-1, 1, 1, 1), (count, *shape))
    return images, (np.arange(count) % 3).astype(np.uint8), ["a", "b", "c"]


def prepare(folder: Path, made: Any = None, **options: Any) -> VisionFacts:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(published.READERS, "mnist_sample", lambda raw: of_arrays(*(made or made_pictures())))
        chosen = {"seed": 1, **SPLIT_SIZES, "canvases": OPTIONS} | options
        return data.prepare(Path("unused"), folder, VisionDataset(domain="vision", source="mnist_sample", **chosen))


def composer(size: tuple[int, int] = (40, 50), number: int = 4, ground: int = 0, **pictures: Any) -> Composer:
    return Composer(of_arrays(*made_pictures(**pictures)), size, number, ground)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# Canvases -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(10))
def test_images_are_within_the_canvas_and_overlap_in_their_margins_only(seed: int) -> None:
    canvas = composer(number=5).compose(np.random.default_rng(seed), np.arange(5))
    assert (canvas.corners >= 0).all() and (canvas.corners + SHAPE[:2] <= (40, 50)).all()
    for one, other in itertools.combinations(canvas.corners, 2):
        down, aside = np.abs(one - other)
        assert down >= 14 - 2 or aside >= 7 - 1


def test_pixels_that_differ_from_the_ground_are_visible_where_images_overlap() -> None:
    for ground, better in ((0, np.maximum), (255, np.minimum)):
        canvas = composer(ground=ground).compose(np.random.default_rng(1), np.array([3, 20, 7, 50]))
        expected = np.full((40, 50, 1), ground, np.uint8)
        for shade, (top, left) in zip((4, 21, 8, 51), canvas.corners, strict=True):
            there = expected[top : top + 14, left : left + 7]
            there[:] = better(there, shade)
        assert np.array_equal(canvas.pixels, expected)


@pytest.mark.parametrize("seed", range(10))
def test_background_has_no_image_in_its_centre(seed: int) -> None:
    generator = np.random.default_rng(seed)
    maker = composer(shape=(12, 12, 1))
    canvas = maker.compose(generator, np.arange(4))
    for window in maker.background_windows(generator, canvas):
        for shade in np.unique(window[window > 0]):
            rows, columns = (np.flatnonzero((window[..., 0] == shade).any(axis)) for axis in (1, 0))
            assert min(len(rows), len(columns)) <= 12 - 2  # a sixth of a side is outside the window


def test_background_is_empty_or_has_parts_of_one_or_several_images() -> None:
    generator, maker = np.random.default_rng(0), composer(shape=(12, 12, 1))
    windows = np.concatenate(
        [maker.background_windows(generator, maker.compose(generator, np.arange(4))) for _ in range(20)]
    )
    shades = [len(np.unique(window[window > 0])) for window in windows]
    assert {0, 1, 2} <= set(shades)


@pytest.mark.parametrize("size", [(13, 50), (40, 6), (27, 13)])
def test_size_without_room_for_an_image_and_a_window_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=rf"canvases\.size: \[{size[0]}, {size[1]}\] is too small .* 14 x 7"):
        composer(size=size)


def test_more_images_than_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"canvases\.pictures: 40 images of 14 x 7 .* 40 x 50; choose fewer"):
        prepare(tmp_path, canvases=OPTIONS | {"pictures": 40})
    assert not (tmp_path / "facts.json").exists()


def test_images_without_space_between_them_are_refused() -> None:
    maker = composer(size=(1, 2), number=2, shape=(1, 1, 1))
    generator = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"canvases\.pictures: 2 images of 1 x 1 with space between them"):
        maker.background_windows(generator, maker.compose(generator, np.arange(2)))


# What is prepared -----------------------------------------------------------------------------------------------------


def test_background_is_the_last_class_and_a_share_of_every_split(tmp_path: Path) -> None:
    facts = prepare(tmp_path)
    assert facts.classes == ["a", "b", "c", "background"]
    assert facts.counts == {
        "train": {"a": 15, "b": 15, "c": 15, "background": 15},
        "validation": {"a": 2, "b": 2, "c": 2, "background": 2},
        "test": {"a": 3, "b": 3, "c": 3, "background": 3},
    }
    for split, counts in facts.counts.items():
        labels = prepared.load_array(tmp_path, f"{split}_labels")
        assert np.bincount(labels).tolist() == list(counts.values())
        assert (np.diff(labels == 3) >= 0).all()  # after the others
    assert facts.canvases == Canvases(**OPTIONS)


def test_background_and_canvases_contain_images_of_their_own_split_only(tmp_path: Path) -> None:
    prepare(tmp_path)
    shades = {split: np.unique(prepared.load_array(tmp_path, f"{split}_images")) for split in prepared.SPLITS}
    for one, other in itertools.combinations(shades.values(), 2):
        assert set(one) & set(other) <= {0}
    for split in ("validation", "test"):
        assert set(np.unique(prepared.load_array(tmp_path, f"{split}_canvases"))) <= {0, *shades[split]}


@pytest.mark.parametrize("split", ["validation", "test"])
def test_boxes_are_those_of_the_images_on_the_canvas(tmp_path: Path, split: str) -> None:
    facts = prepare(tmp_path)
    pixels, boxes = prepared.load_array(tmp_path, f"{split}_canvases"), rows_of(tmp_path / f"{split}_boxes.csv")
    assert pixels.shape == (3, 40, 50, 1) and len(boxes) == 12
    for box in boxes:
        top, left, height, width = (int(box[side]) for side in ("top", "left", "height", "width"))
        middle = int(pixels[int(box["canvas"]), top + height // 2, left + width // 2, 0])
        assert (height, width) == (14, 7)
        assert box["class"] == facts.classes[(middle - 1) % 3]
    assert np.count_nonzero(pixels) >= 12 * 12 * 6  # no other image covers them


def with_blank_images(count: int = 90) -> tuple[Any, Any, list[str]]:
    images, labels, classes = made_pictures(count)
    return np.where(np.arange(count).reshape(-1, 1, 1, 1) % 9 == 0, 0, images).astype(np.uint8), labels, classes


@pytest.mark.parametrize("made", [made_pictures(), with_blank_images()], ids=["distinct images", "blank images"])
def test_no_background_window_equals_one_of_another_split_or_an_image(tmp_path: Path, made: Any) -> None:
    """Empty windows are all equal."""
    facts = prepare(tmp_path, made, canvases=OPTIONS | {"pictures": 2, "background": 0.5})
    arrays = {
        split: [prepared.load_array(tmp_path, f"{split}_{kind}") for kind in ("images", "labels")]
        for split in prepared.SPLITS
    }
    windows = {split: {image.tobytes() for image in images[labels == 3]} for split, (images, labels) in arrays.items()}
    objects = {image.tobytes() for images, labels in arrays.values() for image in images[labels < 3]}
    assert [
        (one, other) for one, other in itertools.combinations(prepared.SPLITS, 2) if windows[one] & windows[other]
    ] == []
    assert all(not of_split & objects for of_split in windows.values())
    for counts in facts.counts.values():
        assert counts["background"] == sum(counts.values()) / 2


def test_windows_that_must_be_equal_in_all_splits_are_refused(tmp_path: Path) -> None:
    images, labels, classes = made_pictures()
    with pytest.raises(
        ValueError, match=r"canvases: too few different windows .* larger size, or a smaller background"
    ):
        prepare(tmp_path, (images * 0, labels, classes))


def test_every_validation_image_is_used_before_one_is_repeated(tmp_path: Path) -> None:
    prepare(tmp_path, canvases=OPTIONS | {"count": 2, "pictures": 3})
    images = prepared.load_array(tmp_path, "validation_images")[:6]
    assert set(np.unique(prepared.load_array(tmp_path, "validation_canvases"))) == {0, *np.unique(images)}


def test_facts_have_the_digest_of_the_canvases(tmp_path: Path) -> None:
    prepare(tmp_path)
    for name in ("validation_canvases", "test_canvases"):
        described = prepared.read_facts(tmp_path).arrays[name]
        assert described.bytes == 6000 and described.sha256 == files.sha256(tmp_path / f"{name}.npy")


def test_the_seed_determines_everything(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        prepare(tmp_path / name, seed=seed)
    digests = [
        {path.name: files.sha256(path) for path in (tmp_path / name).iterdir()} for name in ("one", "again", "other")
    ]
    assert digests[0] == digests[1]
    assert digests[0]["validation_canvases.npy"] != digests[2]["validation_canvases.npy"]


def test_without_canvases_there_is_no_background_class(tmp_path: Path) -> None:
    without, facts = prepare(tmp_path / "without", canvases=None), prepare(tmp_path / "with")
    assert without.canvases is None and without.classes == ["a", "b", "c"]
    assert not list((tmp_path / "without").glob("*_[cb]*"))
    for split, counts in without.counts.items():
        first, all_of_them = (
            prepared.load_array(tmp_path / name, f"{split}_images")[: sum(counts.values())]
            for name in ("without", "with")
        )
        assert np.array_equal(first, all_of_them)
    assert facts.duplicates == without.duplicates and facts.conflicting == without.conflicting


def test_mean_and_deviation_are_of_all_training_pixels(tmp_path: Path) -> None:
    facts, images = prepare(tmp_path), prepared.load_array(tmp_path, "train_images") / 255
    assert facts.mean == pytest.approx([images.mean()]) and facts.std == pytest.approx([images.std()])


def test_class_named_background_is_refused(tmp_path: Path) -> None:
    images, labels, _ = made_pictures()
    with pytest.raises(ValueError, match="canvases: the data set already has a class background; rename it"):
        prepare(tmp_path, made=(images, labels, ["a", "background", "c"]))


def test_tables_of_duplicates_and_files_leave_out_the_background(
    tmp_path: Path, make_folder: Callable[..., Path], prepare: Callable[..., VisionFacts]
) -> None:
    root = make_folder(tmp_path / "root")
    for name in ("cat", "dog"):
        Image.fromarray(np.zeros((6, 5, 3), np.uint8)).save(root / name / "empty.png")  # as an empty background window
    made = prepare(root, tmp_path / "out", canvases=OPTIONS | {"size": [30, 30]})
    without = prepare(root, tmp_path / "without")
    assert made.duplicates == without.duplicates and made.conflicting == without.conflicting == 1
    assert made.read == 18
    for name in ("files.csv", "duplicates.csv", "skipped.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "without" / name).read_bytes()
    for row in rows_of(tmp_path / "out" / "files.csv"):
        image = prepared.load_array(tmp_path / "out", f"{row['split']}_images")[int(row["row"])]
        assert np.array_equal(image, np.asarray(Image.open(root / row["file"])))


def test_own_images_on_white_are_on_white_canvases(
    tmp_path: Path, make_folder: Callable[..., Path], prepare: Callable[..., VisionFacts]
) -> None:
    prepare(make_folder(tmp_path / "root"), tmp_path / "out", canvases=OPTIONS | {"pictures": 1}, background="white")
    pixels = prepared.load_array(tmp_path / "out", "validation_canvases")
    assert (pixels == 255).all(-1).mean() > 0.9


def test_too_little_disk_space_is_an_error_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(tmp_path / "first")
    arrays = [prepared.load_array(tmp_path / "first", name) for name in ("validation_canvases", "train_images")]
    written, usage = sum(array.nbytes for array in arrays), shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=written))
    with pytest.raises(OSError, match="MB are free"):
        prepare(tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=3 * written))
    prepare(tmp_path / "out")


def test_more_windows_than_a_chunk_are_all_written(tmp_path: Path) -> None:
    """The images of each split are larger than a chunk of 1 MiB."""
    made = made_pictures(shape=(200, 150, 1))
    facts = prepare(tmp_path, made, validation=36, canvases=OPTIONS | {"size": [500, 400], "background": 0.5})
    images, labels = (prepared.load_array(tmp_path, f"validation_{kind}") for kind in ("images", "labels"))
    assert images.nbytes > 2 * 2**20
    assert [labels.tolist().count(label) for label in range(4)] == [12, 12, 12, 36]
    assert facts.counts["validation"]["background"] == 36
    assert all(window.any() for window in images[:36])
    assert len(np.unique(images[36:].reshape(36, -1), axis=0)) > 30


def test_the_card_explains_the_background_class_and_shows_a_canvas(tmp_path: Path) -> None:
    facts = prepare(tmp_path / "data")
    card = data_card.data_section(tmp_path / "data", facts, tmp_path / "figures")
    (text,) = texts(card)
    assert "The last class, background, was generated" in text
    assert "3 canvases of 40 x 50 pixels with 4 validation images each, and as many with test images" in text
    assert figure_names(card)[-1] == "canvas.png" and (tmp_path / "figures/canvas.png").stat().st_size > 1000


def test_the_card_of_many_classes_shows_background(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawn: dict[str, Any]
) -> None:
    monkeypatch.setattr(data_card, "SHOWN_CLASSES", 2)
    data_card.data_section(tmp_path / "data", prepare(tmp_path / "data"), tmp_path / "figures")
    shown = [text.get_text() for text in texts_of(drawn["examples.png"])]
    assert shown == ["a", "background"]
