"""Splits: disjoint, drawn from each class by the seed, or refused with a clear error."""

import numpy as np
import pytest

from cvnlp.data import prepared
from cvnlp.vision.data.splits import check_held_out, draw_splits

CLASSES = ["zero", "one", "two"]
SIZES = {"validation": 6, "test": 9}


def made_labels(*counts: int) -> np.ndarray:
    """Classes of these sizes, mixed."""
    return np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts)).astype(np.uint8)


def split(labels: np.ndarray, *, seed: int = 1, **sizes: float | None) -> dict[str, np.ndarray]:
    return draw_splits(labels, CLASSES, {"train": np.arange(len(labels))}, SIZES | sizes, seed=seed)


def drawn_before(labels: np.ndarray, held_out: dict[str, int], seed: int) -> dict[str, np.ndarray]:
    """The original procedure: prepared data must stay the same with every version."""
    generator = np.random.default_rng(seed)
    chosen: dict[str, list[np.ndarray]] = {"train": [], **{name: [] for name in held_out}}
    for label in np.unique(labels):
        shuffled = generator.permutation(np.flatnonzero(labels == label))
        for name, count in held_out.items():
            chosen[name].append(shuffled[: count // len(np.unique(labels))])
            shuffled = shuffled[count // len(np.unique(labels)) :]
        chosen["train"].append(shuffled)
    return {name: np.sort(np.concatenate(indices)) for name, indices in chosen.items()}


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_a_seed_draws_the_same_splits_as_ever(seed: int) -> None:
    labels = made_labels(20, 31, 25)
    expected, found = drawn_before(labels, SIZES, seed), split(labels, seed=seed)
    assert all(np.array_equal(found[name], expected[name]) for name in prepared.SPLITS)


@pytest.mark.parametrize("sizes", [SIZES, {"validation": 0.1, "test": 0.3}, {"validation": 3, "test": 0.5}])
def test_every_image_is_in_exactly_one_split(sizes: dict[str, float]) -> None:
    parts = split(made_labels(20, 20, 21), **sizes)
    assert set(parts) == set(prepared.SPLITS)
    assert sorted(np.concatenate(list(parts.values()))) == list(range(61))
    assert all((np.diff(indices) > 0).all() for indices in parts.values())


def test_a_number_is_divided_evenly_among_the_classes() -> None:
    labels = made_labels(6, 10, 20)
    parts = split(labels)
    assert np.bincount(labels[parts["validation"]]).tolist() == [2, 2, 2]
    assert np.bincount(labels[parts["test"]]).tolist() == [3, 3, 3]
    assert np.bincount(labels[parts["train"]]).tolist() == [1, 5, 15]


def test_a_share_is_taken_of_every_class_rounded_and_at_least_one() -> None:
    labels = made_labels(4, 36, 100)
    parts = split(labels, validation=0.1, test=0.25)
    assert np.bincount(labels[parts["validation"]]).tolist() == [1, 4, 10]
    assert np.bincount(labels[parts["test"]]).tolist() == [1, 9, 25]


def test_other_seeds_draw_other_splits() -> None:
    labels = made_labels(20, 20, 20)
    first, second = split(labels, seed=3), split(labels, seed=4)
    assert not any(np.array_equal(first[name], second[name]) for name in prepared.SPLITS)


def test_a_given_split_stays_as_it_is_and_the_rest_is_drawn_from_train() -> None:
    labels = made_labels(20, 20, 20)
    given = {"train": np.arange(5, 60), "test": np.arange(5)}
    parts = draw_splits(labels, CLASSES, given, {"validation": 6, "test": None}, seed=1)
    assert parts["test"].tolist() == list(range(5))
    assert sorted(np.concatenate([parts["train"], parts["validation"]])) == list(range(5, 60))


@pytest.mark.parametrize("name", SIZES)
def test_number_that_cannot_be_divided_among_the_classes_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: 7 images cannot be divided evenly among 3 classes"):
        split(made_labels(20, 20, 20), **{name: 7})


@pytest.mark.parametrize("size", [0, -3, 1.0, 0.0, 1.5])
def test_invalid_size_is_refused(size: float) -> None:
    with pytest.raises(ValueError, match=f"validation: {size} is neither a number of images nor a share"):
        split(made_labels(20, 20, 20), validation=size)


def test_shares_that_leave_nothing_for_training_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shares of 0\.5 \+ 0\.5: nothing is left"):
        split(made_labels(20, 20, 20), validation=0.5, test=0.5)


@pytest.mark.parametrize(
    ("counts", "sizes", "message", "least"),
    [
        ((20, 5, 3), SIZES, r"class one \(has 5\), class two \(has 3\)", 6),
        ((20, 2, 20), {"validation": 0.1, "test": 0.1}, r"class one \(has 2\)", 3),
        ((20, 0, 1), {"validation": 0.1, "test": 0.1}, r"class one \(has 0\), class two \(has 1\)", 3),
        ((20, 20, 3), {"validation": 0.5, "test": 0.4}, r"class two \(has 3\)", 5),
    ],
)
def test_classes_with_too_few_are_all_named(
    counts: tuple[int, ...], sizes: dict[str, float], message: str, least: int
) -> None:
    with pytest.raises(ValueError, match=rf"of {message}; nothing is left .* at least {least} images"):
        split(made_labels(*counts), **sizes)


def test_a_class_that_a_given_split_lacks_is_named() -> None:
    labels = np.arange(60) % 3
    given = {"train": np.arange(57), "validation": np.array([57, 58]), "test": np.array([59])}
    with pytest.raises(ValueError, match="the validation split has no usable image of class two"):
        draw_splits(labels, CLASSES, given, {"validation": None, "test": None}, seed=1)


@pytest.mark.parametrize(
    ("validation", "test", "message"),
    [
        (None, None, "`validation` is null, but mnist has no validation split"),
        (500, 0.1, "`test` is 0.1, but mnist has its own test split"),
    ],
)
def test_held_out_split_that_contradicts_the_data_is_refused(
    validation: float | None, test: float | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check_held_out(["train", "test"], {"validation": validation, "test": test}, "mnist")


def test_valid_held_out_splits_are_accepted() -> None:
    check_held_out(["train", "test"], {"validation": 0.1, "test": None}, "mnist")


def test_share_that_small_classes_cannot_give_is_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    labels = made_labels(3, 3, 3)
    split(labels, validation=0.33, test=0.1)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("warning: test: 0.1 was given, but the split has 0.333: it is rounded to whole images")
