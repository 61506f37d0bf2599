"""Worked examples of convolution: the published exercise, the superposition of responses, filters on an image."""

import itertools

import numpy as np
import pytest

from cvnlp.vision.insight import convolution_demo as demo
from cvnlp.vision.insight.convolution import BORDERS, FILTERS, channel_contributions, correlate, flip, superpose


def picture_of(height: int, width: int, channels: int) -> np.ndarray:
    return np.random.default_rng(3).uniform(0, 1, (height, width, channels)).astype(np.float32)


def test_the_worked_example_gives_the_published_map() -> None:
    assert np.allclose(correlate(demo.WORKED_IMAGE, demo.WORKED_FILTER, border="zero"), demo.WORKED_MAP, atol=1e-12)


def is_possible(pictures: np.ndarray, tolerance: float) -> np.ndarray:
    """Which of the images' first rows (N, R, 5) give, with some filter and bias, the rows of the map they determine.

    The least squares solution has the smallest sum of squares: if it is above cells x tolerance^2, no filter fits.
    """
    determined = pictures.shape[1] if pictures.shape[1] == 5 else pictures.shape[1] - 1
    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1)))
    cells = [padded[:, y : y + determined, x : x + 5].reshape(len(pictures), -1) for y, x in np.ndindex(3, 3)]
    windows = np.stack([*cells, np.ones_like(cells[0])], axis=-1)
    target = demo.WORKED_MAP[:determined].reshape(-1, 1)
    squares = windows.transpose(0, 2, 1) @ windows + 1e-9 * np.eye(10)
    filters = np.linalg.solve(squares, windows.transpose(0, 2, 1) @ target)
    rest = ((windows @ filters - target) ** 2).sum((1, 2))
    return rest <= target.size * tolerance**2 + 1e-6


def test_no_other_binary_image_gives_the_published_map() -> None:
    rows = np.array(list(itertools.product([0.0, 1.0], repeat=5)))
    pictures = rows[:, None]
    for _ in range(4):  # row by row, without those that fit no filter
        longer = [np.concatenate([pictures, np.tile(row, (len(pictures), 1, 1))], axis=1) for row in rows]
        pictures = np.concatenate([grown[is_possible(grown, tolerance=0.05)] for grown in longer])
    assert np.array_equal(pictures, demo.WORKED_IMAGE[None])


def test_the_filter_follows_from_the_worked_image_and_map() -> None:
    padded = np.pad(demo.WORKED_IMAGE, 1)
    windows = np.stack([padded[y : y + 5, x : x + 5].ravel() for y, x in np.ndindex(3, 3)], axis=1)
    found, _, rank, _ = np.linalg.lstsq(windows, demo.WORKED_MAP.ravel(), rcond=None)
    assert rank == 9
    assert np.allclose(found.reshape(3, 3), demo.WORKED_FILTER)


def test_output_is_the_sum_of_the_responses_to_the_impulses() -> None:
    responses = superpose(demo.WORKED_SIGNAL, demo.WORKED_RESPONSE)
    assert responses[1].tolist() == [0, 6, 4, 2, 0, 0, 0, 0]
    assert responses.sum(0).tolist() == [0, 6, 4, 5, -1, -1, -1, 0]
    assert np.allclose(responses.sum(0), np.convolve(demo.WORKED_SIGNAL, demo.WORKED_RESPONSE))
    padded = np.pad(demo.WORKED_SIGNAL, 2)[None]
    assert np.allclose(responses.sum(0), correlate(padded, flip(demo.WORKED_RESPONSE[None]))[0])


def test_redness_is_zero_for_grey_and_the_sum_of_its_channels() -> None:
    picture = picture_of(8, 8, 3)
    shares = channel_contributions(picture, demo.REDNESS)
    assert np.allclose(shares.sum(2), correlate(picture, demo.REDNESS, border="reflect"), rtol=0, atol=1e-12)
    grey = np.repeat(picture[..., :1], 3, axis=2)
    assert np.abs(correlate(grey, demo.REDNESS)).max() < 1e-12
    assert np.allclose(correlate(np.ones((5, 5, 3)) * [1, 0, 0], demo.REDNESS), 1)


@pytest.mark.parametrize("shape", [(28, 28, 1), (16, 20, 3), (9, 5, 4), (2, 3, 3), (1, 1, 1)])
def test_images_of_any_shape(shape: tuple[int, int, int]) -> None:
    arrays = demo.demo_arrays(picture_of(*shape))
    assert all(array.dtype == np.float64 and np.isfinite(array).all() for array in arrays.values())
    assert ("redness" in arrays) == (shape[2] == 3)
    assert {f"filter_{name}" for name in FILTERS} | {f"border_{rule}" for rule in BORDERS} <= arrays.keys()
    assert np.array_equal(arrays["filter_identity"], arrays["image"])
    assert arrays["border_zero"].shape == shape
    assert arrays["stride_2"].shape == (-(-shape[0] // 2), -(-shape[1] // 2), shape[2])
    assert all(np.isfinite(list(demo.measure(picture_of(*shape)).values())))


def test_result_is_deterministic_and_a_copy() -> None:
    picture = picture_of(12, 12, 3).astype(np.float64)
    before = picture.copy()
    first, second = demo.demo_arrays(picture), demo.demo_arrays(picture)
    assert all(first[name].tobytes() == second[name].tobytes() for name in first)
    first["image"][:] = 0
    assert np.array_equal(picture, before)


def test_measurements_agree_with_the_arrays() -> None:
    picture = picture_of(28, 28, 3)
    arrays, numbers = demo.demo_arrays(picture), demo.measure(picture)
    assert all(numbers[f"flip_{name}"] == 0 for name in ("identity", "box", "gaussian", "sharpen", "laplace"))
    assert numbers["flip_sobel_x"] == pytest.approx(2 * np.abs(arrays["filter_sobel_x"]).max())
    assert numbers["flip_worked"] == pytest.approx(
        np.abs(arrays["flip_correlation"] - arrays["flip_convolution"]).max()
    )
    assert numbers["border_zero_reflect"] == pytest.approx(
        np.abs(arrays["border_zero"] - arrays["border_reflect"]).max()
    )
    assert numbers["border_share"] == pytest.approx(1 - 22 * 22 / 28**2)
    assert np.allclose(arrays["border_reflect"][3:-3, 3:-3], arrays["border_valid"])
    assert np.allclose(arrays["border_replicate"][3:-3, 3:-3], arrays["border_valid"])
    assert numbers["separable_difference"] < 1e-12
    assert (numbers["separable_products"], numbers["square_products"]) == (10, 25)


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (np.ones((4, 4)), r"image \(4, 4\) is not \(H, W, C\)"),
        (np.full((4, 4, 1), 255), "values from 255 to 255, not within 0 to 1"),
        (np.full((4, 4, 1), np.nan), "values from nan to nan"),
    ],
)
def test_invalid_images_are_refused(picture: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        demo.demo_arrays(picture)
    with pytest.raises(ValueError, match=message):
        demo.measure(picture)
