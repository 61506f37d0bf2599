"""Convolution in NumPy: compared with its definition, PyTorch and torchvision."""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torchvision.transforms.v2 import functional as torchvision

from cvnlp.vision.insight.convolution import (
    BORDERS,
    FILTERS,
    correlate,
    filter_channels,
    flip,
    gaussian_2d,
    gaussian_blur,
)

SIZES = [
    ((7, 9, 1), (1, 3, 3)),
    ((9, 8, 3), (4, 3, 3)),
    ((11, 10, 2), (3, 5, 2)),
    ((8, 8, 3), (2, 2, 4)),
    ((6, 7, 2), (2, 1, 1)),
]
TORCH_MODES = {"zero": "constant", "reflect": "reflect", "replicate": "replicate"}


def make(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).uniform(-1, 1, shape)


def convolve(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolution in the mathematical sense."""
    return correlate(image, flip(kernel))


def torch_correlate(picture: np.ndarray, filters: np.ndarray, border: str, **steps: int) -> np.ndarray:
    """PyTorch's result, in this module's order of axes."""
    pixels = torch.from_numpy(picture).permute(2, 0, 1)[None]
    if border in TORCH_MODES:
        spans = [steps["dilation"] * (cells - 1) for cells in filters.shape[1:3]]
        (top, bottom), (left, right) = [(span // 2, span - span // 2) for span in spans]
        pixels = F.pad(pixels, (left, right, top, bottom), mode=TORCH_MODES[border])
    maps = F.conv2d(pixels, torch.from_numpy(filters).permute(0, 3, 1, 2), **steps)
    return maps[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize(("shape", "kernel"), SIZES)
def test_correlation_equals_torch_conv2d(
    shape: tuple[int, int, int], kernel: tuple[int, int, int], border: str, stride: int, dilation: int
) -> None:
    picture, filters = make(*shape), make(*kernel, shape[2])
    steps = {"stride": stride, "dilation": dilation}
    ours = correlate(picture, filters, border=border, **steps)
    theirs = torch_correlate(picture, filters, border, **steps)
    assert ours.shape == theirs.shape
    assert np.allclose(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
def test_zero_border_with_even_kernels_equals_torch_same() -> None:
    picture, filters = make(8, 9, 2), make(3, 4, 2, 2)
    layer = torch.nn.Conv2d(2, 3, (4, 2), padding="same", bias=False, dtype=torch.float64)
    layer.weight.data = torch.from_numpy(filters).permute(0, 3, 1, 2)
    theirs = layer(torch.from_numpy(picture).permute(2, 0, 1)[None])[0].permute(1, 2, 0)
    assert np.allclose(correlate(picture, filters, border="zero"), theirs.detach().numpy(), rtol=0, atol=1e-12)


def test_each_value_is_the_sum_of_weights_times_pixels() -> None:
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


@pytest.mark.parametrize("border", ["zero", "reflect", "replicate"])
def test_stride_selects_positions_of_the_whole_map(border: str) -> None:
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


def test_a_shifted_image_gives_a_shifted_map() -> None:
    picture, kernel = make(12, 12), make(3, 3)
    assert np.array_equal(correlate(picture[2:, 3:], kernel), correlate(picture, kernel)[2:, 3:])


def test_borders_on_a_line() -> None:
    line, left, right = np.array([[1.0, 2.0, 3.0]]), np.array([[1, 0, 0]]), np.array([[0, 0, 1]])
    expected = {"zero": (0, 0), "reflect": (2, 2), "replicate": (1, 3)}
    for border, (before, after) in expected.items():
        assert correlate(line, left, border=border).tolist() == [[before, 1, 2]]
        assert correlate(line, right, border=border).tolist() == [[2, 3, after]]


def test_box_filter_keeps_a_constant_image_unless_the_border_is_zero() -> None:
    plain = np.full((6, 6), 0.7)
    for border in ("valid", "reflect", "replicate"):
        assert np.allclose(correlate(plain, FILTERS["box"], border=border), 0.7)
    zeros = correlate(plain, FILTERS["box"], border="zero")
    assert np.allclose([zeros[0, 0], zeros[0, 3], zeros[3, 3]], [0.7 * 4 / 9, 0.7 * 6 / 9, 0.7])


def test_image_smaller_than_the_filter_gets_a_border() -> None:
    for border in ("zero", "reflect", "replicate"):
        assert correlate(np.ones((1, 2)), np.ones((5, 5)), border=border).shape == (1, 2)


REFUSED: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any], str]] = [
    ((5, 5), (3, 3), {"border": "wrap"}, "border 'wrap' is none of: valid, zero, reflect, replicate"),
    ((5, 5), (3, 3), {"stride": 0}, "stride 0 is less than 1"),
    ((5, 5), (3, 3), {"dilation": -1}, "dilation -1 is less than 1"),
    (
        (5, 5),
        (3, 3),
        {"dilation": 3},
        "filters: 7 x 7 pixels, more than the image's 5 x 5; use a border of zero",
    ),
    ((5, 5, 3), (3, 3), {}, "filters: 1 channels, but the image has 3"),
    ((5,), (3, 3), {}, r"image \(5,\) and filters \(3, 3\): expected \(H, W\) or \(H, W, C\)"),
    ((5, 5), (0, 3), {}, "none of them empty"),
]


@pytest.mark.parametrize(("shape", "kernel", "options", "message"), REFUSED)
def test_invalid_arguments_are_refused(
    shape: tuple[int, ...], kernel: tuple[int, ...], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        correlate(np.ones(shape), np.ones(kernel), **options)


@pytest.mark.parametrize(("size", "sigma"), [(3, 0.8), (5, 1.0), (7, 2.5)])
def test_gaussian_blur_equals_torchvision(size: int, sigma: float) -> None:
    picture = np.random.default_rng(1).uniform(0, 1, (12, 15, 3))
    theirs = torchvision.gaussian_blur(torch.from_numpy(picture).permute(2, 0, 1), [size, size], [sigma, sigma])
    ours = gaussian_blur(picture, size=size, sigma=sigma)
    assert np.allclose(ours, theirs.permute(1, 2, 0).numpy(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("border", BORDERS)
def test_two_passes_equal_the_2d_filter(border: str) -> None:
    picture = make(12, 11, 3)
    square = filter_channels(picture, gaussian_2d(5, 1.3), border=border)
    assert np.allclose(gaussian_blur(picture, size=5, sigma=1.3, border=border), square, rtol=0, atol=1e-12)


def test_only_separable_filters_are_a_column_times_a_row() -> None:
    ranks = {name: int(np.linalg.matrix_rank(kernel)) for name, kernel in FILTERS.items()}
    assert ranks == {"identity": 1, "box": 1, "gaussian": 1, "sharpen": 2, "laplace": 2, "sobel_x": 1, "sobel_y": 1}


def test_standard_filters_on_a_ramp() -> None:
    ramp = np.tile(np.arange(8.0), (8, 1))  # brighter by 1 a pixel to the right
    responses = {name: correlate(ramp, kernel) for name, kernel in FILTERS.items()}
    assert (responses["sobel_x"] == 8).all() and (responses["sobel_y"] == 0).all()
    assert (correlate(ramp.T, FILTERS["sobel_y"]) == 8).all()
    assert (responses["laplace"] == 0).all()
    assert np.array_equal(responses["identity"], ramp[1:-1, 1:-1])
    assert np.array_equal(FILTERS["sharpen"], FILTERS["identity"] - FILTERS["laplace"])
    sums = {name: round(float(kernel.sum()), 12) for name, kernel in FILTERS.items()}
    assert sums == {"identity": 1, "box": 1, "gaussian": 1, "sharpen": 1, "laplace": 0, "sobel_x": 0, "sobel_y": 0}
