"""Convolution in NumPy, written for clarity and not for speed: border rules, stride, dilation, standard filters.

Images are (H, W) or (H, W, C). A filter (n, m) or (n, m, C) has as many channels as the image and gives one feature map
(H', W'); K filters (K, n, m, C) give K maps (H', W', K). All computations are in float64.
"""

from typing import Literal

import numpy as np

# Padding, by its names in params.yaml: none (the map is smaller than the image), zeros, the image reflected at its
# outermost pixel, or the outermost pixel repeated. With the last three the map has the image's size.
BORDERS: dict[str, Literal["constant", "reflect", "edge"] | None] = {
    "valid": None,
    "zero": "constant",
    "reflect": "reflect",
    "replicate": "edge",
}
GAUSSIAN_SIGMA = 1.0  # of the standard filter, in pixels


def correlate(
    image: np.ndarray, filters: np.ndarray, *, border: str = "valid", stride: int = 1, dilation: int = 1
) -> np.ndarray:
    """Cross-correlation, which neural networks call convolution: the sum of filter weights times pixels below them.

    Computed as a sum over the cells of the filter, of the whole image, shifted by the position of the cell and
    multiplied by its weight. A stride of 2 keeps every second position; with a dilation of 2 the cells are two pixels
    apart. ValueError for shapes that do not fit.
    """
    pixels, weights = _with_channels(image, filters)
    _check_positive(stride=stride, dilation=dilation)
    rows, columns = weights.shape[1:3]
    pixels = _add_border(pixels, border, dilation * (rows - 1), dilation * (columns - 1))
    height, width = _map_size(pixels, dilation * (rows - 1), dilation * (columns - 1))
    maps = np.zeros((len(range(0, height, stride)), len(range(0, width, stride)), len(weights)))
    for row, column in np.ndindex(rows, columns):
        top, left = row * dilation, column * dilation
        shifted = pixels[top : top + height : stride, left : left + width : stride]
        maps += np.einsum("hwc,kc->hwk", shifted, weights[:, row, column])  # the sum over the channels
    return maps if np.ndim(filters) == 4 else maps[..., 0]


def flip(filters: np.ndarray) -> np.ndarray:
    """Rotate by 180 degrees: correlation with the result is convolution in the mathematical sense."""
    return np.flip(filters, axis=(1, 2) if np.ndim(filters) == 4 else (0, 1))


def filter_channels(
    image: np.ndarray, kernel: np.ndarray, *, border: str = "reflect", stride: int = 1, dilation: int = 1
) -> np.ndarray:
    """Correlate every channel of an image (H, W, C) with the same filter (n, m): (H', W', C)."""
    channels = [np.asarray(image)[..., channel] for channel in range(np.shape(image)[2])]
    maps = [correlate(pixels, kernel, border=border, stride=stride, dilation=dilation) for pixels in channels]
    return np.stack(maps, axis=-1)


def channel_contributions(image: np.ndarray, kernel: np.ndarray, *, border: str = "reflect") -> np.ndarray:
    """Contribution (H', W', C) of each channel to the feature map of a filter (n, m, C); their sum is the map."""
    channels = range(np.shape(image)[2])
    return np.stack([correlate(image[..., c], kernel[..., c], border=border) for c in channels], axis=-1)


def superpose(signal: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Responses (N, N + n - 1) to the N impulses of a signal: `response` (n,), shifted and scaled.

    Their sum is the output of a linear shift-invariant system: the convolution of signal and response.
    """
    responses = np.zeros((len(signal), len(signal) + len(response) - 1))
    for place, height in enumerate(signal):
        responses[place, place : place + len(response)] = height * np.asarray(response)
    return responses


def gaussian_1d(size: int, sigma: float) -> np.ndarray:
    """Gaussian filter (size,) with the sum 1."""
    places = np.arange(size) - (size - 1) / 2
    heights = np.exp(-0.5 * (places / sigma) ** 2)
    return heights / heights.sum()


def gaussian_2d(size: int, sigma: float) -> np.ndarray:
    """Gaussian filter (size, size): the product of a column and a row, and so separable into two 1-d passes."""
    return np.outer(gaussian_1d(size, sigma), gaussian_1d(size, sigma))


def gaussian_blur(image: np.ndarray, *, size: int, sigma: float, border: str = "reflect") -> np.ndarray:
    """Gaussian blur in two passes, columns and rows: 2 x size products per pixel instead of size x size."""
    line = gaussian_1d(size, sigma)
    return filter_channels(filter_channels(image, line[:, None], border=border), line[None, :], border=border)


# For correlation, as in networks: sobel_x is positive where the image gets brighter to the right, sobel_y downwards,
# laplace at pixels darker than their four neighbours; sharpen is the image minus its laplace.
FILTERS = {
    "identity": np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]]),
    "box": np.full((3, 3), 1 / 9),
    "gaussian": gaussian_2d(5, GAUSSIAN_SIGMA),
    "sharpen": np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
    "laplace": np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]]),
    "sobel_x": np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]),
    "sobel_y": np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]]),
}


def _with_channels(image: np.ndarray, filters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As (H, W, C) and (K, n, m, C)."""
    pixels, weights = np.asarray(image, np.float64), np.asarray(filters, np.float64)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    weights = weights[..., None] if weights.ndim == 2 else weights
    weights = weights[None] if weights.ndim == 3 else weights
    if (pixels.ndim, weights.ndim) != (3, 4) or not (pixels.size and weights.size):
        raise ValueError(
            f"image {np.shape(image)} and filters {np.shape(filters)}: expected (H, W) or (H, W, C), "
            "and (n, m), (n, m, C) or (K, n, m, C), none of them empty"
        )
    if pixels.shape[2] != weights.shape[3]:
        raise ValueError(f"filters: {weights.shape[3]} channels, but the image has {pixels.shape[2]}")
    return pixels, weights


def _check_positive(**options: int) -> None:
    for name, value in options.items():
        if value < 1:
            raise ValueError(f"{name} {value} is less than 1")


def _add_border(pixels: np.ndarray, border: str, down: int, across: int) -> np.ndarray:
    """Add `down` rows and `across` columns in all; of an odd number, the smaller half is at the top or left."""
    if border not in BORDERS:
        raise ValueError(f"border {border!r} is none of: {', '.join(BORDERS)}")
    mode = BORDERS[border]
    if mode is None:
        return pixels
    width = ((down // 2, down - down // 2), (across // 2, across - across // 2), (0, 0))
    return np.pad(pixels, width, mode=mode)


def _map_size(pixels: np.ndarray, down: int, across: int) -> tuple[int, int]:
    height, width = pixels.shape[0] - down, pixels.shape[1] - across
    if height < 1 or width < 1:
        raise ValueError(
            f"filters: {down + 1} x {across + 1} pixels, more than the image's {pixels.shape[0]} x "
            f"{pixels.shape[1]}; use a border of {', '.join(rule for rule in BORDERS if BORDERS[rule])}"
        )
    return height, width
