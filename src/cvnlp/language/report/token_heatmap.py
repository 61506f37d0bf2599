"""Text drawn as letters on a coloured background, a number for each token. Imports no torch."""

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from cvnlp import files
from cvnlp.report.labels import MONOSPACE, drawable, families

LINE_WIDTH = 72  # letters
LETTER_WIDTH, LETTER_HEIGHT = 0.115, 0.2  # inches
NARROWEST = 5.0  # inches, of the whole: a title needs room
DARKEST = 0.6  # length of the colours left out, relative to those shown
FAMILIES = [MONOSPACE, *families()]
LETTER: dict[str, Any] = {"ha": "center", "va": "center", "family": FAMILIES, "fontsize": 8}
MISSING = "\N{WHITE SQUARE}"  # for a letter that no font has
LINE_END = "\N{DOWNWARDS ARROW WITH CORNER LEFTWARDS}"

Cell = tuple[str, float]  # a letter and the number of its token


@dataclass(frozen=True)
class TokenText:
    """A text as tokens; `token_kind` is "characters" or "words", `line_end` the token that ends a line."""

    tokens: list[str]
    token_kind: str
    line_end: str

    def lay_out(self, numbers: list[float]) -> list[list[Cell]]:
        """Lines of letters with the numbers of their tokens.

        Words are separated by gaps without a number (NaN); long lines are broken.
        """
        lines: list[list[Cell]] = [[]]
        for token, number in zip(self.tokens, numbers, strict=True):
            ends = token == self.line_end
            shown = LINE_END if ends else token if self.token_kind == "characters" else f"{token} "
            if len(lines[-1]) + len(shown) > LINE_WIDTH:
                lines.append([])
            lines[-1] += [(letter, number if letter != " " or token == " " else math.nan) for letter in shown]
            lines += [[]] if ends else []
        return [line for line in lines if line]


def read_text(path: Path) -> tuple[TokenText, dict[str, Any]]:
    """A text of tokens from a JSON file, and what else the file holds, such as numbers of its tokens."""
    found = files.read_json(path)
    return TokenText(*(found.pop(field.name) for field in fields(TokenText))), found


def size(lines: list[list[Cell]], *, margin: float) -> tuple[float, float]:
    """Width and height in inches of the lines with their colour bar, and of a `margin` above and below."""
    return max(LETTER_WIDTH * max(map(len, lines)) + 1.2, NARROWEST), LETTER_HEIGHT * len(lines) + margin


def draw(axis: Axes, lines: list[list[Cell]], *, low: float, high: float, cmap: str, label: str) -> None:
    """Draw the lines as letters with a colour bar from `low` to `high`; numbers beyond have the colours of the ends.

    The darkest colours of `cmap` are left out: the letters would not be readable on them.
    """
    ground = np.full((len(lines), max(map(len, lines))), np.nan)
    for row, line in enumerate(lines):
        ground[row, : len(line)] = [number for _, number in line]
        for place, (letter, _) in enumerate(line):
            # excluded from the layout: all letters are within the image, and measuring them takes long
            axis.text(place, row, drawable(letter, MISSING) if letter.strip() else letter, **LETTER, in_layout=False)
    axis.axis("off")
    high = high if high > low else low + 1
    clipped = ground.clip(low, high)
    image = axis.imshow(clipped, aspect="auto", cmap=cmap, vmin=low, vmax=high + DARKEST * (high - low))
    bar = axis.figure.colorbar(image, ax=axis, pad=0.01)
    bar.set_label(label, fontsize=8)
    bar.ax.set_ylim(low, high)
    bar.ax.tick_params(labelsize=7)


def visible(token: str) -> str:
    """The token, or the name of white space."""
    return {" ": "space", "\n": "line end", "\t": "tab"}.get(token, token)
