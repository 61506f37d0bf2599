"""What the report shows of language models: figures and samples from the files of the stages. Imports no torch."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.language.report.adaptation import draw_adaptation
from cvnlp.report import plots

TITLE = "Language modelling"
LINE_WIDTH = 72
LETTER: dict[str, Any] = {"ha": "center", "va": "center", "family": "monospace", "fontsize": 8}
LINE_END = "\N{DOWNWARDS ARROW WITH CORNER LEFTWARDS}"
LEARNING = plots.Learning("validation_nll", "validation nats per token", "Validation nats per token after every epoch")
ROBUSTNESS = plots.Robustness(
    strength="share",
    metric="perplexity",
    strength_label="share of the tokens read that are changed",
    metric_label="perplexity of the text",
    caption="Perplexity as what is read gets replaced at random or by the gradient's choice, swapped with its "
    "neighbour, or misspelled (two letters of a word change places)",
)


def draw_run(details: Path, examples: Path, folder: Path) -> list[str]:
    """The section of one run, as Markdown; its figure goes into `folder` and is linked by name."""
    excerpt = files.read_json(details / "excerpt.json")
    _draw_excerpt(
        lay_out(excerpt["tokens"], excerpt["nats"], excerpt["token_kind"], excerpt["line_end"]), folder / "excerpt.png"
    )
    lines = [
        "What each token of a test text cost, given all before it:",
        "",
        "![Cost of a text]({folder}/excerpt.png)",
        "",
    ]
    lines += draw_adaptation(details, folder)
    samples = files.read_json(details / "samples.json")
    lines += [f"Written by the model, temperature {samples['temperature']:g}:", ""]
    for text in samples["texts"]:
        lines += quoted(text)
    share = float(prepared.load_array(examples, "share"))
    titles = {
        "clean": "A test text",
        "random": f"{share:.0%} replaced at random",
        "swap": f"{share:.0%} swapped with their neighbours",
        "typo": f"{share:.0%} misspelled",
        "hotflip": f"{share:.0%} replaced by HotFlip",
    }
    for name in (name for name in titles if (examples / f"{name}.npy").is_file()):
        lines += [f"{titles[name]}:", "", *quoted(str(prepared.load_array(examples, name)))]
    if not (examples / "hotflip.npy").is_file():
        lines += ["HotFlip follows the gradient at the vectors of tokens, and this network has no such vectors.", ""]
    return lines


Cell = tuple[str, float]  # a letter and the number of its token: what it cost, or what a unit was


def lay_out(tokens: list[str], numbers: list[float], token_kind: str, line_end: str) -> list[list[Cell]]:
    """The text as lines of letters; words are set apart, a long line goes on in the next."""
    lines: list[list[Cell]] = [[]]
    for token, number in zip(tokens, numbers, strict=True):
        ends = token == line_end
        shown = LINE_END if ends else token if token_kind == "characters" else f"{token} "
        if len(lines[-1]) + len(shown) > LINE_WIDTH:
            lines.append([])
        # the gap after a word has none
        lines[-1] += [(letter, number if letter != " " or token == " " else math.nan) for letter in shown]
        lines += [[]] if ends else []
    return [line for line in lines if line]


def _draw_excerpt(lines: list[list[Cell]], path: Path) -> None:
    figure, (axis,) = plots.panels(1, width=0.115 * max(map(len, lines)) + 1.2, height=0.2 * len(lines) + 0.3)
    picture = write(axis, lines, cmap="Oranges", vmin=0, vmax=8)
    figure.colorbar(picture, label="nats", extend="max", pad=0.01)
    plots.save(figure, path)


def write(axis: Axes, lines: list[list[Cell]], **colours: Any) -> AxesImage:
    """The lines as letters on a ground of the colours of their numbers."""
    ground = np.full((len(lines), max(map(len, lines))), np.nan)
    for row, line in enumerate(lines):
        ground[row, : len(line)] = [number for _, number in line]
        for column, (letter, _) in enumerate(line):
            # outside of the layout: all are within the picture, and measuring them takes long
            axis.text(column, row, letter, **LETTER, parse_math=False, in_layout=False)
    axis.axis("off")
    return axis.imshow(ground, aspect="auto", **colours)


def quoted(text: str) -> list[str]:
    return ["```text", text.strip("\n"), "```", ""]


def visible(token: str) -> str:
    """A token as a table can show it: white space and the table's own marks by their names."""
    return {" ": "space", "\n": "line end", "\t": "tab", "`": "backtick", "|": "bar"}.get(token, token)
