"""Chapters on convolution: step by step, against an MLP, with pooling, and what its filters have learned."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from cvnlp.data import prepared
from cvnlp.report.chapter import Paper, Sources, chapter
from cvnlp.report.elements import SampleText, Section, Stepper
from cvnlp.report.results import Results, RunResults
from cvnlp.report.sentences import number, percent, sentence

CONVOLUTIONAL = ("cnn", "lenet5", "alexnet", "resnet")
DUMOULIN = Paper("Dumoulin and Visin 2016, a guide to convolution arithmetic", "https://arxiv.org/abs/1603.07285")
LECUN = Paper("LeCun et al. 1998", "https://doi.org/10.1109/5.726791")
ZEILER = Paper("Zeiler and Fergus 2014", "https://arxiv.org/abs/1311.2901")


def by_hand(results: Results) -> Section:
    """The worked example, a position at a time."""
    run = results.first(*CONVOLUTIONAL)
    sentences, steps = [], []
    if run and (run.paths.insight / "convolution").is_dir():
        place = run.paths.insight / "convolution"
        image, kernel = (prepared.load_array(place, f"worked_{name}") for name in ("image", "filter"))
        steps = [_steps(np.array(image), np.array(kernel))]
        sentences = [
            f"A filter of {_size(kernel)} weights moves over an image of {_size(image)} pixels, with a border of "
            "zeros. At every position the products of weights and pixels are added up; the sums are the feature map."
        ]
        flip = float(run.insights["convolution_flip_worked"])
        sentences.append(
            "Networks do not flip the filter, so this is a cross-correlation; the mathematical convolution would "
            f"differ by up to {number(flip)} here, and not at all for a symmetric filter such as a blur."
        )
    sources = Sources(("vision/insight/convolution.py",), run, [DUMOULIN])
    elements = [*steps, *results.shown(run, "convolution_filters.png")]
    return chapter("Convolution, step by step", "convolution", sentences, elements, sources, results)


def _size(array: np.ndarray) -> str:
    return " x ".join(map(str, array.shape))


def _steps(image: np.ndarray, kernel: np.ndarray) -> Stepper:
    """A step for every position of the filter, row by row."""
    border = kernel.shape[0] // 2
    padded = np.pad(image, border)
    sums = np.zeros(image.shape)
    steps = {}
    for row, column in np.ndindex(image.shape):
        window = padded[row : row + kernel.shape[0], column : column + kernel.shape[1]]
        total = float((window * kernel).sum())
        sums[row, column] = total
        place = row * image.shape[1] + column + 1
        text = f"{_marked(padded, row, column, kernel.shape)}\n\n{_products(window, kernel)} = {_shown(total)}"
        feature_map = _grid([[_shown(value) if at < place else "·" for at, value in line] for line in _numbered(sums)])
        steps[f"row {row + 1}, column {column + 1}"] = (
            SampleText("Image with its border; the filter covers the numbers in brackets", text),
            SampleText("Feature map so far", feature_map),
        )
    caption = f"The filter is {_grid_in_line(kernel)}. Move the slider to let it cover the next position."
    return Stepper("Convolution by hand", caption, "position", steps)


def _numbered(sums: np.ndarray) -> Iterator[list[tuple[int, float]]]:
    """Each value with its place, counted row by row."""
    for row, line in enumerate(sums):
        yield [(row * len(line) + column, float(value)) for column, value in enumerate(line)]


def _marked(padded: np.ndarray, top: int, left: int, covered: tuple[int, ...]) -> str:
    rows, columns = range(top, top + covered[0]), range(left, left + covered[1])
    cells = [
        [_bracketed(value, row in rows and column in columns) for column, value in enumerate(line)]
        for row, line in enumerate(padded)
    ]
    return _grid(cells)


def _bracketed(value: float, covered: bool) -> str:
    return f"[{_shown(value)}]" if covered else f" {_shown(value)} "


def _products(window: np.ndarray, kernel: np.ndarray) -> str:
    """Only those of pixels that are not 0."""
    pairs = zip(window.flat, kernel.flat, strict=True)
    return " + ".join(f"{_shown(pixel)}·({_shown(weight)})" for pixel, weight in pairs if pixel) or "only zeros"


def _shown(value: float) -> str:
    return f"{value + 0:.2g}" if abs(value) > 1e-9 else "0"


def _grid(cells: list[list[str]]) -> str:
    width = max(len(cell) for line in cells for cell in line)
    return "\n".join(" ".join(cell.rjust(width) for cell in line) for line in cells)


def _grid_in_line(kernel: np.ndarray) -> str:
    return "; ".join(" ".join(map(_shown, line)) for line in kernel)


def shared_weights(results: Results) -> Section:
    """From MLP to CNN: fewer parameters by weights that all positions share."""
    run, flat = results.first("cnn"), results.first("mlp")
    sentences = []
    if run:
        found, name = run.insights, "convolution_sharing_parameters_"
        if f"{name}shared" in found:
            sentences.append(
                f"The first layer of {run.name} has {found[f'{name}shared']:,.0f} weights, which all "
                f"{found['convolution_sharing_positions']:,.0f} positions share. With weights of its own at each "
                f"position it would have {found[f'{name}unshared']:,.0f}; fully connected, "
                f"{found[f'{name}fully_connected']:,.0f}."
            )
        if flat and flat.block.dataset == run.block.dataset:
            ratio = flat.training["parameters"] / run.training["parameters"]
            sentences.append(
                f"In all, {run.name} has {run.training['parameters']:,} parameters, and the MLP {flat.name} "
                f"{number(ratio)} times as many."
            )
            sentences.append(sentence(f"on the same test images, {run.against(flat)}"))
    sources = Sources(("vision/models/cnn.py", "vision/insight/weight_sharing.py"), run, [LECUN])
    return chapter("From MLP to CNN: shared weights", "shared-weights", sentences, (), sources, results)


def pooling(results: Results) -> Section:
    """Stride and receptive field of each layer, and what happens when the image is shifted."""
    run = results.first(*CONVOLUTIONAL)
    sentences = list(_pooling(run)) if run and (run.paths.insight / "layers.csv").is_file() else []
    sources = Sources(
        ("vision/models/cnn.py", "vision/insight/equivariance.py"),
        run,
        [Paper("Zhang 2019, shift-invariant convolutional networks", "https://arxiv.org/abs/1904.11486")],
    )
    elements = results.shown(run, "feature_maps.png")
    return chapter("Pooling and stride", "pooling", sentences, elements, sources, results)


def _pooling(run: RunResults) -> Iterator[str]:
    layers = pd.read_csv(run.paths.insight / "layers.csv", dtype={"block": str}).dropna(subset="block")
    first, last = layers.iloc[0], layers.iloc[-1]
    yield (
        f"Pooling and stride make the maps smaller: those of {first['block']} have {first['height']} x "
        f"{first['width']} values, those of {last['block']} {last['height']} x {last['width']}, each "
        f"{last['stride_height']:g} pixels of the image from the next."
    )
    blocks = (first["block"], last["block"])
    errors = [float(run.insights.get(f"equivariance_error_{block}", np.nan)) for block in blocks]
    if not np.isnan(errors).any():
        yield (
            f"A convolution shifts its map with the image. After pooling this is only nearly so: the maps of "
            f"{first['block']} differ from shifted maps by {percent(errors[0])} of their size, those of "
            f"{last['block']} by {percent(errors[1])} (0% would be exact)."
        )


def learned_filters(results: Results) -> Section:
    """The weights of the first layer, and the patches that activate later ones."""
    run = results.first(*CONVOLUTIONAL)
    sentences = []
    if run:
        dead = {name: share for name, share in run.insights.items() if name.startswith("dead_filters_")}
        sentences = [
            f"The filters of the first layer of {run.name} are shown before and after training. What later blocks "
            "respond to is shown by the patches of training images that activate them most."
        ]
        silent = [f"{percent(share)} of {name.rpartition('_')[2]}" for name, share in dead.items() if share > 0]
        if silent:
            sentences.append(f"Filters that no image activates: {', '.join(silent)}.")
        elif dead:
            sentences.append("Every filter is activated by some image.")
    sources = Sources(("vision/insight/filters.py",), run, [ZEILER])
    blocks = sorted(path.name for path in run.paths.figures.glob("patches_*.png")) if run else []
    elements = results.shown(run, "filters.png", *blocks[-1:])
    return chapter("Learned filters", "filters", sentences, elements, sources, results)


CHAPTERS = (by_hand, shared_weights, pooling, learned_filters)
