"""The convolution laboratory of the report: the worked examples with their numbers, and filters on a real picture."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.report import plots

FILTERS = ("identity", "box", "gaussian", "sharpen", "laplace", "sobel_x", "sobel_y")


def draw_laboratory(details: Path, folder: Path) -> list[str]:
    """The section as Markdown; `details` holds the arrays and numbers.json, the figures go into `folder`."""
    arrays = {path.stem: prepared.load_array(details, path.stem) for path in sorted(details.glob("*.npy"))}
    numbers = files.read_json(details / "numbers.json")
    _draw_worked(arrays, folder / "convolution_worked.png")
    _draw_filters(arrays, folder / "convolution_filters.png")
    return [
        "#### The convolution laboratory",
        "",
        "By hand: at every place, filter cell times pixel, summed; with zeros around, the map is as large as the "
        "picture. On a line: every impulse of the signal becomes the answer to it, and the answers add up.",
        "",
        "![A convolution by hand]({folder}/convolution_worked.png)",
        "",
        "Named filters, border rules of a wide blur, strides and dilations on a validation picture:",
        "",
        "![Filters on a picture]({folder}/convolution_filters.png)",
        "",
        *_numbers(numbers),
        "",
    ]


def _numbers(numbers: dict[str, float]) -> list[str]:
    return [
        f"- Correlation and convolution with the worked filter differ by up to {numbers['flip_worked']:.3g}, with the "
        f"symmetric Gaussian by {numbers['flip_gaussian']:.1g}.",
        f"- The border rule decides on {numbers['border_share']:.0%} of the pixels of a blur "
        f"{numbers['border_size']:.0f} wide; zeros and mirror differ by up to {numbers['border_zero_mirror']:.3g}.",
        f"- A Gaussian in two passes: {numbers['separable_products']:.0f} products a pixel instead of "
        f"{numbers['square_products']:.0f}, difference {numbers['separable_difference']:.1g}.",
        f"- Shared weights: the gradient of a filter of the first layer is the sum of those of its "
        f"{numbers['sharing_places']:.0f} unshared copies (largest difference "
        f"{numbers['sharing_gradient_difference']:.1g}); {numbers['sharing_parameters_shared']:,.0f} parameters "
        f"instead of {numbers['sharing_parameters_unshared']:,.0f}, or "
        f"{numbers['sharing_parameters_fully_connected']:,.0f} fully connected.",
    ]


def _draw_worked(arrays: dict[str, np.ndarray], path: Path) -> None:
    figure, (picture, kernel, feature_map, line) = plots.panels(4, width=2.9, height=2.7)
    for axis, name in ((picture, "picture"), (kernel, "filter"), (feature_map, "map")):
        _draw_numbers(axis, arrays[f"worked_{name}"], name)
    answers = arrays["worked_answers"]
    places = np.arange(answers.shape[1])
    bottom = np.zeros(answers.shape[1])
    for answer, colour in zip(answers[answers.any(axis=1)], plots.COLOURS, strict=False):
        line.bar(places, answer, width=0.25, color=colour, alpha=0.5)
        bottom += answer
    line.step(places, bottom, where="mid", color="black", linewidth=1.2, label="sum")
    line.set(title="superposition", xlabel="place")
    line.legend()
    plots.save(figure, path)


def _draw_numbers(axis: Axes, values: np.ndarray, title: str) -> None:
    reach = 2 * np.abs(values).max()  # pale enough to read the numbers
    axis.imshow(values, cmap="RdBu_r", vmin=-reach, vmax=reach)
    for (row, column), value in np.ndenumerate(values):
        axis.text(column, row, f"{value:g}", ha="center", va="center", fontsize=8)
    axis.set(title=title, xticks=[], yticks=[])
    axis.grid(False)


def _draw_filters(arrays: dict[str, np.ndarray], path: Path) -> None:
    """Each picture from its darkest to its brightest value."""
    names = [
        [*(f"filter_{name}" for name in FILTERS), "edges"],
        [f"border_{rule}" for rule in ("valid", "zero", "mirror", "repeat")] + ["flip_correlation", "flip_convolution"],
        [f"stride_{stride}" for stride in (1, 2, 3)] + [f"dilation_{gap}" for gap in (1, 2, 3)],
    ]
    names[2] += ["redness"] if "redness" in arrays else []
    rows = [[_from_dark_to_bright(arrays[name]) for name in line] for line in names]
    titles = [[name.removeprefix("filter_").replace("_", " ") for name in line] for line in names]
    plots.draw_pictures(rows, titles, path)


def _from_dark_to_bright(values: np.ndarray) -> np.ndarray:
    values = values if values.ndim == 3 else values[..., None]
    low, high = values.min(), values.max()
    return (values - low) / max(high - low, 1e-12)
