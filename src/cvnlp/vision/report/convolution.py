"""The report's worked examples of convolution: a computation by hand, and standard filters on an image."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.report import galleries, plots
from cvnlp.report.elements import Element, Figure, Number, Numbers, Pictures, Section, Text, single_figure

FILTERS = ("identity", "box", "gaussian", "sharpen", "laplace", "sobel_x", "sobel_y")
BORDERS = ("valid", "zero", "reflect", "replicate")


def convolution_section(details: Path, folder: Path) -> Section:
    """`details` holds the arrays and numbers.json; the figures go into `folder`."""
    arrays = {path.stem: prepared.load_array(details, path.stem) for path in sorted(details.glob("*.npy"))}
    numbers = files.read_json(details / "numbers.json")
    return Section(
        "Convolution, worked examples",
        (
            _worked_example(arrays, folder / "convolution_worked.png"),
            _filtered_images(arrays, folder / "convolution_filters.png"),
            _measurements(numbers),
            *_weight_sharing(numbers),
        ),
    )


def _measurements(numbers: dict[str, float]) -> Numbers:
    blur = f"{numbers['border_size']:.0f} x {numbers['border_size']:.0f} blur"
    difference = "largest difference between"
    return Numbers(
        "Properties measured on these images",
        (
            Number(f"{difference} correlation and convolution, worked filter", numbers["flip_worked"], format=".3g"),
            Number(f"{difference} correlation and convolution, Gaussian", numbers["flip_gaussian"], format=".1g"),
            Number(f"pixels that depend on the border rule, {blur}", numbers["border_share"], format=".0%"),
            Number(f"{difference} zero and reflected border, {blur}", numbers["border_zero_reflect"], format=".3g"),
            Number("Gaussian blur in two passes", numbers["separable_products"], "products per pixel", ".0f"),
            Number("Gaussian blur in one pass", numbers["square_products"], "products per pixel", ".0f"),
            Number(f"{difference} two passes and one", numbers["separable_difference"], format=".1g"),
        ),
    )


def _weight_sharing(numbers: dict[str, float]) -> Iterator[Element]:
    yield Text(
        "Weight sharing: the gradient of a filter of the first layer is the sum of those of its unshared copies, "
        "one at each position."
    )
    shown = {
        "positions": ("unshared copies of a filter", ",.0f"),
        "gradient_difference": ("largest difference of the gradients", ".1g"),  # a diverged network has none
        "parameters_shared": ("parameters, shared", ",.0f"),
        "parameters_unshared": ("parameters, unshared", ",.0f"),
        "parameters_fully_connected": ("parameters, fully connected", ",.0f"),
    }
    measured = [
        Number(title, numbers[f"sharing_{name}"], format=form)
        for name, (title, form) in shown.items()
        if f"sharing_{name}" in numbers
    ]
    yield Numbers("Weight sharing in the first layer", tuple(measured))


def _worked_example(arrays: dict[str, np.ndarray], path: Path) -> Figure:
    title = "Convolution by hand"
    drawing, (picture, kernel, feature_map, line) = plots.panels(4, title=title, width=2.9, height=2.7)
    for axis, name in ((picture, "image"), (kernel, "filter"), (feature_map, "map")):
        _draw_numbers(axis, arrays[f"worked_{name}"], {"map": "feature map"}.get(name, name))
    _draw_superposition(line, arrays["worked_responses"])
    plots.save(drawing, path)
    caption = (
        "Left: at every position the products of filter and image are summed; with a border of zeros the feature map "
        "is as large as the image. Right: each impulse of a signal gives a scaled response (colours), and the "
        "responses add up to the output (black)."
    )
    return single_figure(
        title, caption, path, "Image, filter and feature map as numbers; responses to impulses and their sum"
    )


def _draw_superposition(axis: Axes, responses: np.ndarray) -> None:
    places, bottom = np.arange(responses.shape[1]), np.zeros(responses.shape[1])
    for response, colour in zip(responses[responses.any(axis=1)], plots.COLOURS, strict=False):
        axis.bar(places, response, width=0.25, color=colour, alpha=0.5)
        bottom += response
    axis.step(places, bottom, where="mid", color="black", linewidth=1.2, label="sum")
    axis.set(title="superposition", xlabel="position", ylabel="value")
    axis.legend()


def _draw_numbers(axis: Axes, values: np.ndarray, title: str) -> None:
    limit = 2 * np.abs(values).max()  # pale enough to read the numbers
    axis.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit)
    for (row, column), value in np.ndenumerate(values):
        axis.text(column, row, f"{value:g}", ha="center", va="center", fontsize=8)
    axis.set(title=title, xticks=[], yticks=[])
    axis.grid(False)


def _filtered_images(arrays: dict[str, np.ndarray], path: Path) -> Pictures:
    """Each image from its lowest to its highest value."""
    names = [
        [*(f"filter_{name}" for name in FILTERS), "edges"],
        [*(f"border_{rule}" for rule in BORDERS), "flip_correlation", "flip_convolution"],
        [*(f"stride_{stride}" for stride in (1, 2, 3)), *(f"dilation_{gap}" for gap in (1, 2, 3))],
    ]
    names[2] += ["redness"] if "redness" in arrays else []
    rows = [[_normalised(arrays[name]) for name in line] for line in names]
    titles = [[_title(name) for name in line] for line in names]
    title = "Filters on a validation image"
    caption = (
        "Top: standard filters. Middle: border rules of a wide blur; correlation and convolution with an asymmetric "
        "filter. Bottom: strides and dilations. Each image is scaled to its own range."
    )
    alternative = f"A validation image after {sum(map(len, names))} filters"
    return galleries.gallery(title, caption, rows, titles, path, alternative)


def _title(name: str) -> str:
    return name.removeprefix("filter_").removeprefix("flip_").replace("_", " ")


def _normalised(values: np.ndarray) -> np.ndarray:
    values = values if values.ndim == 3 else values[..., None]
    low, high = values.min(), values.max()
    return (values - low) / max(high - low, 1e-12)
