"""The convolution that is written to be read: against its definition, PyTorch, torchvision and a published map."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torchvision.transforms.v2.functional import gaussian_blur

from cvnlp.vision.insight import convolution as lab
from cvnlp.vision.insight.convolution import convolve, correlate, flip

SIZES = [
    ((7, 9, 1), (1, 3, 3)),
    ((9, 8, 3), (4, 3, 3)),
    ((11, 10, 2), (3, 5, 2)),
    ((8, 8, 3), (2, 2, 4)),
    ((6, 7, 2), (2, 1, 1)),
]
TORCH_MODES = {"zero": "constant", "mirror": "reflect", "repeat": "replicate"}


def make(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).uniform(-1, 1, shape)


def torch_correlate(picture: np.ndarray, filters: np.ndarray, border: str, **steps: int) -> np.ndarray:
    """PyTorch's answer, in this module's order of axes."""
    pixels = torch.from_numpy(picture).permute(2, 0, 1)[None]
    if border in TORCH_MODES:
        spans = [steps["dilation"] * (cells - 1) for cells in filters.shape[1:3]]
        (top, bottom), (left, right) = [(span // 2, span - span // 2) for span in spans]
        pixels = F.pad(pixels, (left, right, top, bottom), mode=TORCH_MODES[border])
    maps = F.conv2d(pixels, torch.from_numpy(filters).permute(0, 3, 1, 2), **steps)
    return maps[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("border", lab.BORDERS)
@pytest.mark.parametrize(("shape", "kernel"), SIZES)
def test_correlation_is_what_torch_calls_convolution(
    shape: tuple[int, int, int], kernel: tuple[int, int, int], border: str, stride: int, dilation: int
) -> None:
    picture, filters = make(*shape), make(*kernel, shape[2])
    steps = {"stride": stride, "dilation": dilation}
    ours = correlate(picture, filters, border=border, **steps)
    theirs = torch_correlate(picture, filters, border, **steps)
    assert ours.shape == theirs.shape
    assert np.allclose(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
def test_with_an_odd_reach_zero_is_what_torch_calls_same() -> None:
    picture, filters = make(8, 9, 2), make(3, 4, 2, 2)
    layer = torch.nn.Conv2d(2, 3, (4, 2), padding="same", bias=False, dtype=torch.float64)
    layer.weight.data = torch.from_numpy(filters).permute(0, 3, 1, 2)
    theirs = layer(torch.from_numpy(picture).permute(2, 0, 1)[None])[0].permute(1, 2, 0)
    assert np.allclose(correlate(picture, filters, border="zero"), theirs.detach().numpy(), rtol=0, atol=1e-12)


def test_each_place_is_the_sum_of_weights_times_pixels() -> None:
    picture, kernel = make(6, 7, 3), make(3, 2, 3)
    slow = [[(picture[y : y + 3, x : x + 2] * kernel).sum() for x in range(6)] for y in range(4)]
    assert np.allclose(correlate(picture, kernel), slow, rtol=0, atol=1e-12)


def test_a_filter_of_all_channels_gives_one_map_and_several_filters_give_several() -> None:
    picture, filters = make(8, 8, 3), make(5, 3, 3, 3)
    assert correlate(picture, filters).shape == (6, 6, 5)
    assert correlate(picture, filters[2]).shape == (6, 6)
    assert np.array_equal(correlate(picture, filters)[..., 2], correlate(picture, filters[2]))
    assert np.array_equal(
        correlate(picture[..., :1], filters[0, ..., :1]), correlate(picture[..., 0], filters[0, ..., 0])
    )


@pytest.mark.parametrize("border", ["zero", "mirror", "repeat"])
def test_stride_takes_places_of_the_whole_map(border: str) -> None:
    picture, kernel = make(9, 10), make(3, 3)
    whole = correlate(picture, kernel, border=border)
    assert np.array_equal(correlate(picture, kernel, border=border, stride=3), whole[::3, ::3])


def test_dilation_is_a_filter_with_zeros_between() -> None:
    picture, kernel = make(9, 10), make(3, 2)
    spread = np.zeros((5, 3))
    spread[::2, ::2] = kernel
    assert np.allclose(correlate(picture, kernel, dilation=2), correlate(picture, spread), rtol=0, atol=1e-12)


def test_a_convolution_turns_an_impulse_into_the_filter_and_a_correlation_into_the_turned_filter() -> None:
    impulse, kernel = np.zeros((5, 5)), make(3, 3)
    impulse[2, 2] = 1
    assert np.array_equal(convolve(impulse, kernel), kernel)
    assert np.array_equal(correlate(impulse, kernel), np.rot90(kernel, 2))


def test_convolution_associates_and_correlation_does_not() -> None:
    picture, one, other = make(9, 9), make(3, 3), make(3, 3)
    both = convolve(np.pad(one, 2), other)  # the two filters as one of 5 x 5
    assert np.allclose(convolve(convolve(picture, one), other), convolve(picture, both), rtol=0, atol=1e-12)
    joined = correlate(np.pad(one, 2), other)
    assert not np.allclose(correlate(correlate(picture, one), other), correlate(picture, joined), atol=1e-3)


def test_flip_keeps_channels_and_the_order_of_filters() -> None:
    filters = make(4, 3, 2, 3)
    assert np.array_equal(flip(filters)[1], flip(filters[1]))
    assert np.array_equal(flip(filters[1])[..., 2], flip(filters[1, ..., 2]))
    assert np.array_equal(flip(flip(filters)), filters)


def test_a_shifted_picture_gives_a_shifted_map() -> None:
    picture, kernel = make(12, 12), make(3, 3)
    assert np.array_equal(correlate(picture[2:, 3:], kernel), correlate(picture, kernel)[2:, 3:])


def test_borders_on_a_line() -> None:
    line, see_left, see_right = np.array([[1.0, 2.0, 3.0]]), np.array([[1, 0, 0]]), np.array([[0, 0, 1]])
    expected = {"zero": (0, 0), "mirror": (2, 2), "repeat": (1, 3)}
    for border, (before, after) in expected.items():
        assert correlate(line, see_left, border=border).tolist() == [[before, 1, 2]]
        assert correlate(line, see_right, border=border).tolist() == [[2, 3, after]]


def test_a_mean_keeps_a_plain_picture_but_with_zeros_around() -> None:
    plain = np.full((6, 6), 0.7)
    for border in ("valid", "mirror", "repeat"):
        assert np.allclose(correlate(plain, lab.FILTERS["box"], border=border), 0.7)
    zeros = correlate(plain, lab.FILTERS["box"], border="zero")
    assert np.allclose([zeros[0, 0], zeros[0, 3], zeros[3, 3]], [0.7 * 4 / 9, 0.7 * 6 / 9, 0.7])


def test_a_picture_smaller_than_the_filter_is_bordered_all_the_same() -> None:
    for border in ("zero", "mirror", "repeat"):
        assert correlate(np.ones((1, 2)), np.ones((5, 5)), border=border).shape == (1, 2)


REFUSED: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any], str]] = [
    ((5, 5), (3, 3), {"border": "wrap"}, "border 'wrap' is none of: valid, zero, mirror, repeat"),
    ((5, 5), (3, 3), {"stride": 0}, "stride 0 is less than 1"),
    ((5, 5), (3, 3), {"dilation": -1}, "dilation -1 is less than 1"),
    (
        (5, 5),
        (3, 3),
        {"dilation": 3},
        "filters: 7 x 7 pixels wide, more than the picture's 5 x 5; take a border of zero",
    ),
    ((5, 5, 3), (3, 3), {}, "filters: 1 channels, but the picture has 3"),
    ((5,), (3, 3), {}, r"picture \(5,\) and filters \(3, 3\): give \(H, W\) or \(H, W, C\)"),
    ((5, 5), (0, 3), {}, "none of them empty"),
]


@pytest.mark.parametrize(("shape", "kernel", "options", "message"), REFUSED)
def test_what_cannot_be_is_refused(
    shape: tuple[int, ...], kernel: tuple[int, ...], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        correlate(np.ones(shape), np.ones(kernel), **options)


def test_the_worked_example_gives_the_published_map() -> None:
    assert np.allclose(correlate(lab.WORKED_PICTURE, lab.WORKED_FILTER, border="zero"), lab.WORKED_MAP, atol=1e-12)
    assert np.allclose(convolve(lab.WORKED_PICTURE, flip(lab.WORKED_FILTER), border="zero"), lab.WORKED_MAP, atol=1e-12)


def explained(pictures: np.ndarray, tolerance: float) -> np.ndarray:
    """Which (N, R, 5) could be the upper rows: a filter and a bias give the map's rows they decide, up to rounding.

    Least squares have the smallest sum of squares; if even that is above cells x tolerance^2, no filter fits.
    """
    decided = pictures.shape[1] if pictures.shape[1] == 5 else pictures.shape[1] - 1
    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1)))
    cells = [padded[:, y : y + decided, x : x + 5].reshape(len(pictures), -1) for y, x in np.ndindex(3, 3)]
    seen = np.stack([*cells, np.ones_like(cells[0])], axis=-1)
    target = lab.WORKED_MAP[:decided].reshape(-1, 1)
    squares = seen.transpose(0, 2, 1) @ seen + 1e-9 * np.eye(10)
    filters = np.linalg.solve(squares, seen.transpose(0, 2, 1) @ target)
    rest = ((seen @ filters - target) ** 2).sum((1, 2))
    return rest <= target.size * tolerance**2 + 1e-6


def test_no_other_picture_of_zeros_and_ones_gives_the_published_map() -> None:
    rows = np.array(list(itertools.product([0.0, 1.0], repeat=5)))
    pictures = rows[:, None]
    for _ in range(4):  # row by row, dropping at once what no filter can explain any more
        longer = [np.concatenate([pictures, np.tile(row, (len(pictures), 1, 1))], axis=1) for row in rows]
        pictures = np.concatenate([grown[explained(grown, tolerance=0.05)] for grown in longer])
    assert np.array_equal(pictures, lab.WORKED_PICTURE[None])


def test_the_filter_follows_from_the_worked_picture_and_map() -> None:
    padded = np.pad(lab.WORKED_PICTURE, 1)
    seen = np.stack([padded[y : y + 5, x : x + 5].ravel() for y, x in np.ndindex(3, 3)], axis=1)
    found, _, rank, _ = np.linalg.lstsq(seen, lab.WORKED_MAP.ravel(), rcond=None)
    assert rank == 9
    assert np.allclose(found.reshape(3, 3), lab.WORKED_FILTER)


def test_a_signal_is_answered_by_the_sum_of_the_answers_to_its_impulses() -> None:
    answers = lab.superpose(lab.WORKED_SIGNAL, lab.WORKED_ANSWER)
    assert answers[1].tolist() == [0, 6, 4, 2, 0, 0, 0, 0]
    assert answers.sum(0).tolist() == [0, 6, 4, 5, -1, -1, -1, 0]
    assert np.allclose(answers.sum(0), np.convolve(lab.WORKED_SIGNAL, lab.WORKED_ANSWER))
    padded = np.pad(lab.WORKED_SIGNAL, 2)[None]
    assert np.allclose(answers.sum(0), convolve(padded, lab.WORKED_ANSWER[None])[0])


@pytest.mark.parametrize(("size", "sigma"), [(3, 0.8), (5, 1.0), (7, 2.5)])
def test_the_blur_is_torchvisions(size: int, sigma: float) -> None:
    picture = np.random.default_rng(1).uniform(0, 1, (12, 15, 3))
    theirs = gaussian_blur(torch.from_numpy(picture).permute(2, 0, 1), [size, size], [sigma, sigma])
    ours = lab.blur(picture, size=size, sigma=sigma)
    assert np.allclose(ours, theirs.permute(1, 2, 0).numpy(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("border", lab.BORDERS)
def test_two_passes_of_a_line_blur_as_the_square_does(border: str) -> None:
    picture = make(12, 11, 3)
    square = lab.each_channel(picture, lab.gaussian(5, 1.3), border=border)
    assert np.allclose(lab.blur(picture, size=5, sigma=1.3, border=border), square, rtol=0, atol=1e-12)


def test_only_separable_filters_are_a_column_times_a_row() -> None:
    ranks = {name: int(np.linalg.matrix_rank(kernel)) for name, kernel in lab.FILTERS.items()}
    assert ranks == {"identity": 1, "box": 1, "gaussian": 1, "sharpen": 2, "laplace": 2, "sobel_x": 1, "sobel_y": 1}


def test_named_filters_do_what_their_names_say() -> None:
    ramp = np.tile(np.arange(8.0), (8, 1))  # brighter by 1 a pixel to the right
    answers = {name: correlate(ramp, kernel) for name, kernel in lab.FILTERS.items()}
    assert (answers["sobel_x"] == 8).all() and (answers["sobel_y"] == 0).all()
    assert (correlate(ramp.T, lab.FILTERS["sobel_y"]) == 8).all()
    assert (answers["laplace"] == 0).all()
    assert np.array_equal(answers["identity"], ramp[1:-1, 1:-1])
    assert np.array_equal(lab.FILTERS["sharpen"], lab.FILTERS["identity"] - lab.FILTERS["laplace"])
    sums = {name: round(float(kernel.sum()), 12) for name, kernel in lab.FILTERS.items()}
    assert sums == {"identity": 1, "box": 1, "gaussian": 1, "sharpen": 1, "laplace": 0, "sobel_x": 0, "sobel_y": 0}


def test_a_colour_filter_is_blind_to_grey_and_adds_up_its_channels() -> None:
    picture = make(8, 8, 3)
    shares = lab.channel_shares(picture, lab.REDNESS)
    assert np.allclose(shares.sum(2), correlate(picture, lab.REDNESS, border="mirror"), rtol=0, atol=1e-12)
    grey = np.repeat(picture[..., :1], 3, axis=2)
    assert np.abs(correlate(grey, lab.REDNESS)).max() < 1e-12
    assert np.allclose(correlate(np.ones((5, 5, 3)) * [1, 0, 0], lab.REDNESS), 1)


def picture_of(height: int, width: int, channels: int) -> np.ndarray:
    return np.random.default_rng(3).uniform(0, 1, (height, width, channels)).astype(np.float32)


@pytest.mark.parametrize("shape", [(28, 28, 1), (16, 20, 3), (9, 5, 4), (2, 3, 3), (1, 1, 1)])
def test_the_laboratory_takes_pictures_of_any_shape(shape: tuple[int, int, int]) -> None:
    arrays = lab.laboratory(picture_of(*shape))
    assert all(array.dtype == np.float64 and np.isfinite(array).all() for array in arrays.values())
    assert ("redness" in arrays) == (shape[2] == 3)
    assert {f"filter_{name}" for name in lab.FILTERS} | {f"border_{rule}" for rule in lab.BORDERS} <= arrays.keys()
    assert np.array_equal(arrays["filter_identity"], arrays["picture"])
    assert arrays["border_zero"].shape == shape
    assert arrays["stride_2"].shape == (-(-shape[0] // 2), -(-shape[1] // 2), shape[2])
    assert all(np.isfinite(list(lab.numbers(picture_of(*shape)).values())))


def test_the_laboratory_gives_the_same_bytes_again_and_leaves_the_picture_alone() -> None:
    picture = picture_of(12, 12, 3).astype(np.float64)
    before = picture.copy()
    first, second = lab.laboratory(picture), lab.laboratory(picture)
    assert all(first[name].tobytes() == second[name].tobytes() for name in first)
    first["picture"][:] = 0
    assert np.array_equal(picture, before)


def test_numbers_say_where_the_flip_and_the_border_matter() -> None:
    picture = picture_of(28, 28, 3)
    arrays, numbers = lab.laboratory(picture), lab.numbers(picture)
    assert all(numbers[f"flip_{name}"] == 0 for name in ("identity", "box", "gaussian", "sharpen", "laplace"))
    assert numbers["flip_sobel_x"] == pytest.approx(2 * np.abs(arrays["filter_sobel_x"]).max())
    assert numbers["flip_worked"] == pytest.approx(
        np.abs(arrays["flip_correlation"] - arrays["flip_convolution"]).max()
    )
    assert numbers["border_zero_mirror"] == pytest.approx(np.abs(arrays["border_zero"] - arrays["border_mirror"]).max())
    assert numbers["border_share"] == pytest.approx(1 - 22 * 22 / 28**2)
    assert np.allclose(arrays["border_mirror"][3:-3, 3:-3], arrays["border_valid"])
    assert np.allclose(arrays["border_repeat"][3:-3, 3:-3], arrays["border_valid"])
    assert numbers["separable_difference"] < 1e-12
    assert (numbers["separable_products"], numbers["square_products"]) == (10, 25)


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (np.ones((4, 4)), r"picture \(4, 4\) is not \(H, W, C\)"),
        (np.full((4, 4, 1), 255), "values from 255 to 255, not within 0 to 1"),
        (np.full((4, 4, 1), np.nan), "values from nan to nan"),
    ],
)
def test_the_laboratory_refuses_what_is_no_picture(picture: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lab.laboratory(picture)
    with pytest.raises(ValueError, match=message):
        lab.numbers(picture)
