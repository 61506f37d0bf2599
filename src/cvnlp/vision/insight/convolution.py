"""Convolution written to be read, not to be fast: border rules, stride, dilation, named filters, worked examples.

Pictures are (H, W) or (H, W, C). A filter (n, m) or (n, m, C) has as many channels as the picture and gives one map
(H', W'), however many channels it reads; K filters (K, n, m, C) give K maps (H', W', K). All is computed in float64.
"""

from typing import Literal

import numpy as np

# What stands outside the picture: nothing (the filter stays inside, the map is smaller), zeros, the picture mirrored
# at its outermost pixel, or that pixel again and again. With the last three the map is as large as the picture.
BORDERS: dict[str, Literal["constant", "reflect", "edge"] | None] = {
    "valid": None,
    "zero": "constant",
    "mirror": "reflect",
    "repeat": "edge",
}
GAUSSIAN_SIGMA = 1.0  # of the named filter, in pixels
STRIDES = (1, 2, 3)
DILATIONS = (1, 2, 3)

# A worked example: correlation with zeros around (or convolution with the flipped filter) gives WORKED_MAP exactly, a
# map that was known without its picture and filter. A search found both: of all 2^25 pictures of zeros and ones this is
# the only one from which a filter 3 x 3, even with a bias, gives the map, exact or rounded; the filter then follows.
WORKED_PICTURE = np.array(
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
WORKED_SIGNAL = np.array([0.0, 2.0, 0.0, 1.0, -1.0, 0.0])  # three impulses; the last two answers overlap
WORKED_ANSWER = np.array([3.0, 2.0, 1.0])  # what an impulse of one becomes


def correlate(
    picture: np.ndarray, filters: np.ndarray, *, border: str = "valid", stride: int = 1, dilation: int = 1
) -> np.ndarray:
    """What networks call a convolution: at every place, the sum of filter cell times the pixel under it.

    Read cell by cell of the filter instead: the whole picture, shifted by the cell's place, times its weight, is added.
    With a stride of 2, only every second place is asked; with a dilation of 2, the cells lie two pixels apart.
    """
    pixels, weights = _in_full(picture, filters)
    _check_steps(stride=stride, dilation=dilation)
    rows, columns = weights.shape[1:3]
    pixels = _add_border(pixels, border, dilation * (rows - 1), dilation * (columns - 1))
    height, width = _map_size(pixels, dilation * (rows - 1), dilation * (columns - 1))
    maps = np.zeros((len(range(0, height, stride)), len(range(0, width, stride)), len(weights)))
    for row, column in np.ndindex(rows, columns):
        top, left = row * dilation, column * dilation
        shifted = pixels[top : top + height : stride, left : left + width : stride]
        maps += np.einsum("hwc,kc->hwk", shifted, weights[:, row, column])  # the sum over the channels
    return maps if np.ndim(filters) == 4 else maps[..., 0]


def convolve(
    picture: np.ndarray, filters: np.ndarray, *, border: str = "valid", stride: int = 1, dilation: int = 1
) -> np.ndarray:
    """Convolution proper: correlation with the filter turned by half a turn, so that an impulse becomes the filter."""
    return correlate(picture, flip(filters), border=border, stride=stride, dilation=dilation)


def flip(filters: np.ndarray) -> np.ndarray:
    """Upside down and left to right; the channels and the order of the filters stay."""
    return np.flip(filters, axis=(1, 2) if np.ndim(filters) == 4 else (0, 1))


def each_channel(
    picture: np.ndarray, kernel: np.ndarray, *, border: str = "mirror", stride: int = 1, dilation: int = 1
) -> np.ndarray:
    """Correlation of every channel with the same filter (n, m): a colour picture (H, W, C) stays one."""
    channels = [np.asarray(picture)[..., channel] for channel in range(np.shape(picture)[2])]
    maps = [correlate(pixels, kernel, border=border, stride=stride, dilation=dilation) for pixels in channels]
    return np.stack(maps, axis=-1)


def channel_shares(picture: np.ndarray, kernel: np.ndarray, *, border: str = "mirror") -> np.ndarray:
    """What each channel adds to the one map of a filter (n, m, C): (H', W', C); their sum is the map."""
    channels = range(np.shape(picture)[2])
    return np.stack([correlate(picture[..., c], kernel[..., c], border=border) for c in channels], axis=-1)


def superpose(signal: np.ndarray, answer: np.ndarray) -> np.ndarray:
    """The answers (N, N + n - 1) to the N impulses that a signal is the sum of: each `answer`, shifted and scaled.

    A linear system that treats all places alike adds them up: their sum is the convolution of the two.
    """
    answers = np.zeros((len(signal), len(signal) + len(answer) - 1))
    for place, height in enumerate(signal):
        answers[place, place : place + len(answer)] = height * np.asarray(answer)
    return answers


def bell(size: int, sigma: float) -> np.ndarray:
    """The Gaussian at `size` places around 0, scaled to the sum 1."""
    places = np.arange(size) - (size - 1) / 2
    heights = np.exp(-0.5 * (places / sigma) ** 2)
    return heights / heights.sum()


def gaussian(size: int, sigma: float) -> np.ndarray:
    """The round Gaussian (size, size): a column of numbers times a row of the same, so two 1-d passes do its work."""
    return np.outer(bell(size, sigma), bell(size, sigma))


def blur(picture: np.ndarray, *, size: int, sigma: float, border: str = "mirror") -> np.ndarray:
    """Gaussian blur in two passes, down the columns and along the rows: 2 x size products a pixel, not size x size."""
    line = bell(size, sigma)
    return each_channel(each_channel(picture, line[:, None], border=border), line[None, :], border=border)


# As networks apply them (correlation): sobel_x answers to what gets brighter to the right, sobel_y downwards,
# laplace to pixels darker than the four around them; sharpen is the picture less its laplace.
FILTERS = {
    "identity": np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]]),
    "box": np.full((3, 3), 1 / 9),
    "gaussian": gaussian(5, GAUSSIAN_SIGMA),
    "sharpen": np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
    "laplace": np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]]),
    "sobel_x": np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]),
    "sobel_y": np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]]),
}
# Red against green and blue, smoothed: a filter (3, 3, 3) that sees colour and is blind to grey.
REDNESS = gaussian(3, 1.0)[..., None] * np.array([1.0, -0.5, -0.5])


def laboratory(picture: np.ndarray) -> dict[str, np.ndarray]:
    """All to draw of a picture (H, W, C) in [0, 1]: named filters, edges, borders, strides, dilations, the flip.

    Each is (H', W', C) and not clipped. Of a colour picture also what each channel adds to redness, their sum (H, W).
    """
    pixels, wide = _checked(picture), _wide(picture)
    filtered = {f"filter_{name}": each_channel(pixels, kernel) for name, kernel in FILTERS.items()}
    shares = channel_shares(pixels, REDNESS) if pixels.shape[2] == 3 else None
    return {
        "picture": pixels,
        **filtered,
        "edges": np.hypot(filtered["filter_sobel_x"], filtered["filter_sobel_y"]),
        **{f"border_{rule}": each_channel(pixels, wide, border=rule) for rule in BORDERS},
        **{f"stride_{stride}": each_channel(pixels, FILTERS["gaussian"], stride=stride) for stride in STRIDES},
        **{f"dilation_{gap}": each_channel(pixels, FILTERS["laplace"], dilation=gap) for gap in DILATIONS},
        "flip_correlation": each_channel(pixels, WORKED_FILTER),
        "flip_convolution": each_channel(pixels, flip(WORKED_FILTER)),
        **({} if shares is None else {"redness_shares": shares, "redness": shares.sum(axis=2)}),
    }


def numbers(picture: np.ndarray) -> dict[str, float]:
    """What the arrays of `laboratory` show, flat; every difference is the largest over the pixels.

    flip_<filter> is between correlation and convolution, which is the answer to the filter less its flip.
    """
    pixels, wide = _checked(picture), _wide(picture)
    mirrored = each_channel(pixels, wide)
    inner = each_channel(pixels, wide, border="valid")
    size = len(FILTERS["gaussian"])
    two_passes = blur(pixels, size=size, sigma=GAUSSIAN_SIGMA)
    return {
        **{f"flip_{name}": _largest(each_channel(pixels, kernel - flip(kernel))) for name, kernel in FILTERS.items()},
        "flip_worked": _largest(each_channel(pixels, WORKED_FILTER - flip(WORKED_FILTER))),
        "border_size": len(wide),
        "border_zero_mirror": _largest(each_channel(pixels, wide, border="zero") - mirrored),
        "border_repeat_mirror": _largest(each_channel(pixels, wide, border="repeat") - mirrored),
        "border_share": 1 - inner.size / mirrored.size,  # of the pixels, those that any border rule decides on
        "separable_difference": _largest(each_channel(pixels, FILTERS["gaussian"]) - two_passes),
        "separable_products": 2 * size,
        "square_products": size * size,
    }


def _in_full(picture: np.ndarray, filters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As (H, W, C) and (K, n, m, C)."""
    pixels, weights = np.asarray(picture, np.float64), np.asarray(filters, np.float64)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    weights = weights[..., None] if weights.ndim == 2 else weights
    weights = weights[None] if weights.ndim == 3 else weights
    if (pixels.ndim, weights.ndim) != (3, 4) or not (pixels.size and weights.size):
        raise ValueError(
            f"picture {np.shape(picture)} and filters {np.shape(filters)}: give (H, W) or (H, W, C), "
            "and (n, m), (n, m, C) or (K, n, m, C), none of them empty"
        )
    if pixels.shape[2] != weights.shape[3]:
        raise ValueError(f"filters: {weights.shape[3]} channels, but the picture has {pixels.shape[2]}")
    return pixels, weights


def _check_steps(**steps: int) -> None:
    for name, value in steps.items():
        if value < 1:
            raise ValueError(f"{name} {value} is less than 1")


def _add_border(pixels: np.ndarray, border: str, down: int, across: int) -> np.ndarray:
    """As much as the filter reaches over its first cell; of an odd number of lines the smaller half stands before."""
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
            f"filters: {down + 1} x {across + 1} pixels wide, more than the picture's {pixels.shape[0]} x "
            f"{pixels.shape[1]}; take a border of {', '.join(rule for rule in BORDERS if BORDERS[rule])}"
        )
    return height, width


def _checked(picture: np.ndarray) -> np.ndarray:
    pixels = np.array(picture, np.float64)  # a copy, so that nobody who draws changes the picture itself
    if pixels.ndim != 3 or not pixels.size:
        raise ValueError(f"picture {pixels.shape} is not (H, W, C)")
    if not (pixels.min() >= 0 and pixels.max() <= 1):  # not a number is refused too
        raise ValueError(f"picture: values from {pixels.min():g} to {pixels.max():g}, not within 0 to 1")
    return pixels


def _wide(picture: np.ndarray) -> np.ndarray:
    """A blur so wide that its borders are seen, up to 7 x 7, that fits into the picture."""
    fitting = min(*np.shape(picture)[:2], 7)
    size = fitting - (fitting + 1) % 2
    return gaussian(size, size / 4)


def _largest(difference: np.ndarray) -> float:
    return float(np.abs(difference).max())
