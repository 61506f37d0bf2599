"""What the report shows of what an image classifier has learned. Imports no torch."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.patches import Rectangle

from cvnlp.data import prepared
from cvnlp.report import plots
from cvnlp.vision.report.convolution import draw_laboratory
from cvnlp.vision.report.detection import draw_reading
from cvnlp.vision.report.run import read_named

SHOWN_ATTENTION = 8
CHANGES = {
    "rotation": ("turned", "degrees, anticlockwise"),
    "scale": ("scaled", "size"),
    "right": ("moved right", "pixels"),
    "down": ("moved down", "pixels"),
}


def draw_insight(details: Path, folder: Path) -> list[str]:
    """The section as Markdown; its figures go into `folder` and are linked by name."""
    lines = _filters(details, folder) if (details / "filters.npy").is_file() else []
    if (details / "layers.csv").is_file():
        layers = pd.read_csv(details / "layers.csv", dtype={"block": str})
        lines += [*_layers(layers, details, folder), *_blocks(layers, details, folder)]
    lines += [*_limits(details, folder), *_attention(details, folder), *_mistakes(details, folder)]
    further = {"reading": draw_reading, "laboratory": draw_laboratory}
    return lines + [
        line for name, draw in further.items() if (details / name).is_dir() for line in draw(details / name, folder)
    ]


def _filters(details: Path, folder: Path) -> list[str]:
    weights = prepared.load_array(details, "filters")
    shades = 0.5 + weights / (2 * max(float(np.abs(weights).max()), 1e-12))
    titles = [[f"{number} {when}" for number in range(1, weights.shape[1] + 1)] for when in ("before", "after")]
    plots.draw_pictures([list(row) for row in shades], titles, folder / "filters.png")
    return [
        "Filters of the first layer before and after training (grey is 0, bright is positive, dark is negative):",
        "",
        "![Filters of the first layer]({folder}/filters.png)",
        "",
    ]


def _layers(layers: pd.DataFrame, details: Path, folder: Path) -> list[str]:
    """What every layer sees, as a table, and where the gradient of each block's central unit lies."""
    blocks = layers.dropna(subset="block")
    figure, axes = plots.panels(2 * len(blocks), width=1.9, height=2.2)
    for index, (_, row) in enumerate(blocks.iterrows()):
        gradients = prepared.load_array(details, f"gradient_{row['block']}")
        for axis, gradient, when in zip(axes[2 * index :], gradients, ("before", "after"), strict=False):
            axis.imshow(gradient / max(float(gradient.max()), 1e-12), cmap="magma", vmin=0, vmax=1)
            axis.set_title(f"{row['block']} {when}", fontsize=8, fontweight="normal")
            axis.axis("off")
            if not np.isnan(row["field_height"]):
                axis.add_patch(_frame(row))
    plots.save(figure, folder / "receptive.png")
    return [
        "What a unit of every layer sees, in pixels: its receptive field by theory and as measured (within the "
        "picture), and the square that holds 90 % of its gradient, before and after training. Then by how much the map "
        "of a moved picture differs from the moved map, as a share of what the picture adds to the map: 0 is "
        "equivariance.",
        "",
        _layer_table(layers, pd.read_csv(details / "equivariance.csv")).to_markdown(index=False, disable_numparse=True),
        "",
        "Gradient of the central unit of each block, before and after training, in the frame of its field by theory:",
        "",
        "![Receptive fields]({folder}/receptive.png)",
        "",
    ]


def _frame(row: pd.Series) -> Rectangle:
    """Around the field of the central unit; imshow's pixel 0 reaches from -0.5 to 0.5."""
    left, top = (
        row[f"centre_{side}"] + row[f"stride_{side}"] * (row[side] // 2) - row[f"field_{side}"] / 2
        for side in ("width", "height")
    )
    return Rectangle((left, top), row["field_width"], row["field_height"], fill=False, edgecolor=plots.COLOURS[5])


def _layer_table(layers: pd.DataFrame, differences: pd.DataFrame) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "layer": layers["layer"],
            "map": [f"{row.height} x {row.width} x {row.channels}" for row in layers.itertuples()],
            "field": _sides(layers, "field"),
            "measured": _sides(layers, "measured"),
            "stride": _sides(layers, "stride"),
            "90 % before": layers["effective_before"].astype(str),
            "after": layers["effective"].astype(str),
        }
    )
    for shift, rows in differences.groupby("shift"):
        values = layers["layer"].map(rows.set_index("layer")["difference"])
        table[f"moved by {shift}"] = ["" if np.isnan(value) else f"{value:.3f}" for value in values]
    return table


def _sides(layers: pd.DataFrame, what: str) -> list[str]:
    pairs = layers[[f"{what}_height", f"{what}_width"]].to_numpy(float)
    return ["" if np.isnan(pair).any() else " x ".join(f"{side:g}" for side in pair) for pair in pairs]


def _blocks(layers: pd.DataFrame, details: Path, folder: Path) -> list[str]:
    """What excites the filters of each block, and the maps of one picture."""
    blocks, picture = list(layers["block"].dropna()), prepared.load_array(details, "picture")
    for block in blocks:
        patches = prepared.load_array(details, f"patches_{block}")
        names = [str(number) for number in range(1, len(patches) + 1)]
        plots.draw_mosaic(list(patches), names, folder / f"patches_{block}.png")
    rows = [[picture, *_maps(prepared.load_array(details, f"maps_{block}"))] for block in blocks]
    titles = [
        ["", *(f"{block}: {number}" for number in range(1, len(row)))] for block, row in zip(blocks, rows, strict=True)
    ]
    plots.draw_pictures(_even(rows), titles, folder / "maps.png")
    links = [f"![What excites {block}]({{folder}}/patches_{block}.png)" for block in blocks]
    return [
        "The pieces of training pictures that excite the filters of each block most, a row for each filter, as large "
        f"as its field (what is grey lies outside the picture); {', '.join(blocks)}:",
        "",
        " ".join(links),
        "",
        "The maps of one validation picture, block by block (bright is large, on one scale for each block):",
        "",
        "![Feature maps]({folder}/maps.png)",
        "",
    ]


def _maps(maps: np.ndarray) -> Iterator[np.ndarray]:
    low, high = float(maps.min()), float(maps.max())
    return ((one[..., None] - low) / max(high - low, 1e-12) for one in maps)


def _even(rows: list[list[np.ndarray]]) -> list[list[np.ndarray]]:
    """The first row decides how many there are in each: it is filled with white."""
    missing = max(map(len, rows)) - len(rows[0])
    return [rows[0] + [np.ones((1, 1, 1))] * missing, *rows[1:]]


def _limits(details: Path, folder: Path) -> list[str]:
    _draw_limits(pd.read_csv(details / "limits.csv"), folder / "limits.png")
    worst = pd.read_csv(details / "worst.csv").iloc[0]
    lines = [
        "Accuracy on validation pictures that are turned, scaled or moved:",
        "",
        "![Limits]({folder}/limits.png)",
        "",
    ]
    if (details / "reading").is_dir():
        lines += [
            "This network knows background, and has learned to take for it what is moved out of the middle or grows "
            "past the edge: these curves fall earlier than those of a network that must name a digit.",
            "",
        ]
    lines += [
        f"Each of {worst['pictures']:.0f} pictures turned by up to {worst['rotation']:g} degrees and moved by up to "
        f"{worst['shift']:g} pixels each way, {worst['points']:.0f} changes in all: {worst['accuracy']:.1%} are read "
        "rightly after every one.",
        "",
    ]
    fooled = read_named(details / "fooled.csv")
    if len(fooled):
        below = [f"{row.rotation:g}°, {row.right:g}, {row.down:g}: {row.predicted}" for row in fooled.itertuples()]
        pairs = prepared.load_array(details, "fooled")
        plots.draw_pictures([list(pair) for pair in pairs], [list(fooled["actual"]), below], folder / "fooled.png")
        lines += [
            "Right before, wrong after the smallest such change (degrees, pixels right, pixels down: what it reads):",
            "",
            "![Fooled by turning and moving]({folder}/fooled.png)",
            "",
        ]
    return lines


def _draw_limits(table: pd.DataFrame, path: Path) -> None:
    figure, axes = plots.panels(3, width=3.4, height=2.9, sharey=True)
    panels = {"rotation": axes[0], "scale": axes[1], "right": axes[2], "down": axes[2]}
    for (change, axis), colour in zip(panels.items(), (plots.COLOURS[0],) * 3 + plots.COLOURS[1:2], strict=True):
        rows = table[table["change"] == change]
        axis.plot(rows["amount"], rows["accuracy"], color=colour, marker="o", markersize=4, label=CHANGES[change][0])
        axis.set(xlabel=CHANGES[change][1], ylim=(0, 1.02))
        axis.legend(loc="lower center")
    axes[0].set_ylabel("validation accuracy")
    plots.save(figure, path)


def _attention(details: Path, folder: Path) -> list[str]:
    table = read_named(details / "attention.csv")
    shown = np.linspace(0, len(table) - 1, min(SHOWN_ATTENTION, len(table))).astype(int)
    images, added = prepared.load_array(details, "attended"), prepared.load_array(details, "attributions")
    titles = [f"{row.actual} as {row.predicted}" for row in table.iloc[shown].itertuples()]
    rows = [[images[index] for index in shown], [_signed(added[index]) for index in shown]]
    plots.draw_pictures(rows, [titles, [""] * len(shown)], folder / "attention.png")
    return [
        "Where it looks: what each pixel adds to the logit of the class that it names, by integrated gradients from "
        "black (orange adds, blue takes away). A fifth of the lit pixels made black takes "
        f"{table['fall'].mean():.1%} from its probability if they are those that add most, "
        f"{table['fall_by_chance'].mean():.1%} if they are any (means of {len(table)} pictures).",
        "",
        "![Where it looks]({folder}/attention.png)",
        "",
    ]


def _signed(values: np.ndarray) -> np.ndarray:
    """White for 0, orange for the most that is added, blue for as much taken away; (H, W, 3) in [0, 1]."""
    share = values[..., None] / max(float(np.abs(values).max()), 1e-12)
    orange, blue = np.array([0.84, 0.37, 0.0]), np.array([0.0, 0.45, 0.70])
    return np.where(share > 0, 1 - share * (1 - orange), 1 + share * (1 - blue))


def _mistakes(details: Path, folder: Path) -> list[str]:
    pairs = read_named(details / "confusions.csv")
    reliability = read_named(details / "reliability.csv")
    lines = []
    if len(pairs):
        titles = [f"{row.actual} as {row.predicted} ({row.confidence:.0%})" for row in pairs.itertuples()]
        images = list(prepared.load_array(details, "confusions"))
        plots.draw_pictures(plots.in_rows(images, 8), plots.in_rows(titles, 8), folder / "confusions.png")
        largest = pairs.drop_duplicates(["actual", "predicted"])
        said = [f"{row.actual} as {row.predicted} ({row.times})" for row in largest.itertuples()]
        lines = [
            f"The most frequent mistakes on the validation split, the surest of each first: {', '.join(said)}.",
            "",
            "![The most frequent mistakes]({folder}/confusions.png)",
            "",
        ]
    return [
        *lines,
        "How far it can be trusted when it names a class (validation split, which also chose the epoch):",
        "",
        reliability.astype(object).where(reliability.notna(), None).to_markdown(index=False, floatfmt=".3f"),
        "",
    ]
