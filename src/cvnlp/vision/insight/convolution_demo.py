"""Worked examples of convolution, standard filters on an image, and weight sharing in a network's first layer."""

import math
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.params.insight import VisionInsight
from cvnlp.vision.insight.convolution import (
    BORDERS,
    FILTERS,
    GAUSSIAN_SIGMA,
    channel_contributions,
    correlate,
    filter_channels,
    flip,
    gaussian_2d,
    gaussian_blur,
    superpose,
)
from cvnlp.vision.insight.layers import load_images
from cvnlp.vision.insight.weight_sharing import compare_gradients

STRIDES = (1, 2, 3)
DILATIONS = (1, 2, 3)

# Correlation with a border of zeros (or convolution with the flipped filter) gives WORKED_MAP exactly. The map is a
# published exercise without its image and filter, which a search has found: of all 2^25 binary images this is the only
# one from which a 3 x 3 filter, even with a bias, gives the map, exact or rounded; the filter follows from it.
WORKED_IMAGE = np.array(
    [
        [0, 1, 1, 1, 0],
        [0, 0, 1, 0, 0],
        [0, 1, 0, 1, 0],
        [0, 1, 1, 1, 0],
        [0, 1, 1, 1, 0],
    ]
)
WORKED_FILTER = np.array([[0.2, 0.5, 1.0], [-1.5, 2.0, 0.0], [0.0, -1.0, -0.2]])
WORKED_MAP = np.array(
    [
        [0.0, 1.8, -0.5, 0.5, -1.5],
        [0.8, 0.5, 3.5, -1.8, 0.2],
        [-0.2, 1.8, -2.2, 1.2, -1.5],
        [0.8, 1.3, 0.5, 0.0, -1.3],
        [1.0, 3.5, 2.2, 1.2, -1.3],
    ]
)
WORKED_SIGNAL = np.array([0.0, 2.0, 0.0, 1.0, -1.0, 0.0])  # three impulses; the responses to the last two overlap
WORKED_RESPONSE = np.array([3.0, 2.0, 1.0])  # to an impulse of 1
# Red minus the mean of green and blue, smoothed: a filter (3, 3, 3) that gives 0 for grey.
REDNESS = gaussian_2d(3, 1.0)[..., None] * np.array([1.0, -0.5, -0.5])


def analyse_convolution(
    network: nn.Module, data: Path, images: Tensor, labels: Tensor, options: VisionInsight, folder: Path
) -> dict[str, float]:
    """Write the examples into `folder` and return the measurements; none for a network without convolutions.

    `images` and `labels` serve to compare the gradients of shared and unshared weights.
    """
    if not any(isinstance(module, nn.Conv2d) for module in network.modules()):
        return {}
    few = slice(options.gradient_images)
    compared = compare_gradients(network, images[few], labels[few])
    sharing = {name: value for name, value in compared.items() if math.isfinite(value)}  # a diverged network overflows
    image, _ = load_images(data, "validation", np.array([options.feature_map_image]))
    measured = save_demo(image[0].permute(1, 2, 0).cpu().double().numpy(), sharing, folder)
    return {f"convolution_{name}": value for name, value in measured.items()}


def save_demo(image: np.ndarray, sharing: dict[str, float], folder: Path) -> dict[str, float]:
    """Write the arrays and numbers.json for an image (H, W, C) in [0, 1]; return the content of numbers.json.

    `sharing`: the result of `compare_gradients`.
    """
    for name, array in (demo_arrays(image) | _worked_arrays()).items():
        prepared.save_array(folder, name, array)
    measured = measure(image) | {f"sharing_{name}": value for name, value in sharing.items()}
    files.write_json(folder / "numbers.json", measured)
    return measured


def _worked_arrays() -> dict[str, np.ndarray]:
    return {
        "worked_image": WORKED_IMAGE,
        "worked_filter": WORKED_FILTER,
        "worked_map": correlate(WORKED_IMAGE, WORKED_FILTER, border="zero"),
        "worked_responses": superpose(WORKED_SIGNAL, WORKED_RESPONSE),
    }


def demo_arrays(image: np.ndarray) -> dict[str, np.ndarray]:
    """An image (H, W, C) in [0, 1] under the standard filters, border rules, strides and dilations.

    Each array is (H', W', C) and not clipped. For a colour image also redness (H, W) and the contributions of the
    channels to it.
    """
    pixels, wide = _checked(image), _wide_blur(image)
    filtered = {f"filter_{name}": filter_channels(pixels, kernel) for name, kernel in FILTERS.items()}
    redness = channel_contributions(pixels, REDNESS) if pixels.shape[2] == 3 else None
    return {
        "image": pixels,
        **filtered,
        "edges": np.hypot(filtered["filter_sobel_x"], filtered["filter_sobel_y"]),
        **{f"border_{rule}": filter_channels(pixels, wide, border=rule) for rule in BORDERS},
        **{f"stride_{stride}": filter_channels(pixels, FILTERS["gaussian"], stride=stride) for stride in STRIDES},
        **{f"dilation_{gap}": filter_channels(pixels, FILTERS["laplace"], dilation=gap) for gap in DILATIONS},
        "flip_correlation": filter_channels(pixels, WORKED_FILTER),
        "flip_convolution": filter_channels(pixels, flip(WORKED_FILTER)),
        **({} if redness is None else {"redness_channels": redness, "redness": redness.sum(axis=2)}),
    }


def measure(image: np.ndarray) -> dict[str, float]:
    """Largest differences over the pixels of an image (H, W, C) in [0, 1], and counts of products.

    `flip_<filter>` is the difference between correlation and convolution, `border_<a>_<b>` that between two border
    rules. `border_share` is the share of the pixels that depend on the border rule.
    """
    pixels, wide = _checked(image), _wide_blur(image)
    reflected = filter_channels(pixels, wide)
    inner = filter_channels(pixels, wide, border="valid")
    size = len(FILTERS["gaussian"])
    two_passes = gaussian_blur(pixels, size=size, sigma=GAUSSIAN_SIGMA)
    return {
        **{f"flip_{name}": _flip_difference(pixels, kernel) for name, kernel in FILTERS.items()},
        "flip_worked": _flip_difference(pixels, WORKED_FILTER),
        "border_size": len(wide),
        "border_zero_reflect": _largest(filter_channels(pixels, wide, border="zero") - reflected),
        "border_replicate_reflect": _largest(filter_channels(pixels, wide, border="replicate") - reflected),
        "border_share": 1 - inner.size / reflected.size,
        "separable_difference": _largest(filter_channels(pixels, FILTERS["gaussian"]) - two_passes),
        "separable_products": 2 * size,
        "square_products": size * size,
    }


def _flip_difference(pixels: np.ndarray, kernel: np.ndarray) -> float:
    return _largest(filter_channels(pixels, kernel - flip(kernel)))


def _checked(image: np.ndarray) -> np.ndarray:
    pixels = np.array(image, np.float64)  # a copy, so that changes of the result leave the image as it is
    if pixels.ndim != 3 or not pixels.size:
        raise ValueError(f"image {pixels.shape} is not (H, W, C)")
    if not (pixels.min() >= 0 and pixels.max() <= 1):  # also refuses NaN
        raise ValueError(f"image: values from {pixels.min():g} to {pixels.max():g}, not within 0 to 1")
    return pixels


def _wide_blur(image: np.ndarray) -> np.ndarray:
    """A Gaussian filter wide enough to show its borders: the largest odd size that fits, at most 7 x 7."""
    fitting = min(*np.shape(image)[:2], 7)
    size = fitting - (fitting + 1) % 2
    return gaussian_2d(size, size / 4)


def _largest(difference: np.ndarray) -> float:
    return float(np.abs(difference).max())
