"""What the report shows of language models: figures and samples from the files of the stages. Imports no torch."""

import math
from pathlib import Path

import numpy as np

from cvnlp import files, plots, prepared

TITLE = "Language modelling"
LINE_WIDTH = 72
LINE_END = "\N{DOWNWARDS ARROW WITH CORNER LEFTWARDS}"
LEARNING = plots.Learning("validation_nll", "validation nats per token", "Validation nats per token after every epoch")
ROBUSTNESS = plots.Robustness(
    strength="share",
    metric="perplexity",
    strength_label="share of the tokens read that are replaced",
    metric_label="perplexity of the text",
    caption="Perplexity as what is read gets replaced, at random and by the gradient's choice",
)


def draw_run(details: Path, examples: Path, folder: Path) -> list[str]:
    """The section of one run, as Markdown; its figure goes into `folder` and is linked by name."""
    excerpt = files.read_json(details / "excerpt.json")
    _draw_excerpt(_cells(**excerpt), folder / "excerpt.png")
    lines = [
        "What each token of a test text cost, given all before it:",
        "",
        "![Cost of a text]({folder}/excerpt.png)",
        "",
    ]
    samples = files.read_json(details / "samples.json")
    lines += [f"Written by the model, temperature {samples['temperature']:g}:", ""]
    for text in samples["texts"]:
        lines += _quoted(text)
    share = float(prepared.load_array(examples, "share"))
    titles = {
        "clean": "A test text",
        "random": f"{share:.0%} replaced at random",
        "hotflip": f"{share:.0%} replaced by HotFlip",
    }
    for name in (name for name in titles if (examples / f"{name}.npy").is_file()):
        lines += [f"{titles[name]}:", "", *_quoted(str(prepared.load_array(examples, name)))]
    return lines


Cell = tuple[str, float]  # a letter and what its token cost


def _cells(tokens: list[str], nats: list[float], token_kind: str, line_end: str) -> list[list[Cell]]:
    """The text as lines of letters; words are set apart, a long line goes on in the next."""
    lines: list[list[Cell]] = [[]]
    for token, cost in zip(tokens, nats, strict=True):
        ends = token == line_end
        shown = LINE_END if ends else token if token_kind == "characters" else f"{token} "
        if len(lines[-1]) + len(shown) > LINE_WIDTH:
            lines.append([])
        # the gap after a word is nobody's cost
        lines[-1] += [(letter, cost if letter != " " or token == " " else math.nan) for letter in shown]
        lines += [[]] if ends else []
    return [line for line in lines if line]


def _draw_excerpt(lines: list[list[Cell]], path: Path) -> None:
    width = max(map(len, lines))
    costs = np.full((len(lines), width), np.nan)
    figure, (axis,) = plots.panels(1, width=0.115 * width + 1.2, height=0.2 * len(lines) + 0.3)
    for row, line in enumerate(lines):
        costs[row, : len(line)] = [cost for _, cost in line]
        for column, (letter, _) in enumerate(line):
            axis.text(column, row, letter, ha="center", va="center", family="monospace", fontsize=8)
    picture = axis.imshow(costs, cmap="Oranges", vmin=0, vmax=8, aspect="auto")
    figure.colorbar(picture, label="nats", extend="max", pad=0.01)
    axis.axis("off")
    plots.save(figure, path)


def _quoted(text: str) -> list[str]:
    return ["```text", text.strip("\n"), "```", ""]


def visible(token: str) -> str:
    """A token as a table can show it: white space and the table's own marks by their names."""
    return {" ": "space", "\n": "line end", "\t": "tab", "`": "backtick", "|": "bar"}.get(token, token)
