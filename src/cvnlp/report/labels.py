"""Names of classes, runs and tokens as labels of figures: short, on one line, and of letters that a font has."""

import unicodedata
from collections.abc import Iterable
from functools import cache

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.textpath import TextPath

LONGEST = 24  # letters of a label; tables have the whole name
POINTS_PER_INCH = 72
END = 8  # letters that are kept of the end of a longer name
DEFAULT, MONOSPACE = "DejaVu Sans", "DejaVu Sans Mono"  # part of matplotlib; by their names they are found fast
# fonts for scripts and symbols that DejaVu Sans lacks, used if they are installed; no bitmap fonts
FALLBACKS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "WenQuanYi Zen Hei",
    "Noto Sans Thai",
    "Noto Sans Devanagari",
    "Noto Emoji",
    "Symbola",
    "FreeSans",
    "Arial Unicode MS",
    "Unifont",
)
IGNORABLE = "\ufe0e\ufe0f"  # variation selectors, of emoji


def short_label(name: str) -> str:
    """The name on one line, shortened in its middle; letters without a glyph become their code or their name."""
    label = drawable(" ".join(name.split()))
    if len(label) > LONGEST:
        label = f"{label[: LONGEST - END - 1]}…{label[-END:]}"
    return f"\N{HAIR SPACE}{label}" if label.startswith("_") else label  # matplotlib leaves out labels that begin so


def label_room(labels: Iterable[str], *, free: float = 0.9) -> float:
    """Inches that the widest label needs next to an axis, beyond the `free` ones that are there anyway."""
    size = float(mpl.rcParams["font.size"])
    widths = (TextPath((0, 0), label, size=size).get_extents().width / POINTS_PER_INCH for label in labels)
    return max(0.0, max(widths) - free)


def drawable(text: str, missing: str | None = None) -> str:
    """The text with `missing` for every letter that no font has: else a symbol's name, such as fox face, or U+732B.

    "?" if nothing of it can be seen.
    """
    shown = (letter for letter in text if letter not in IGNORABLE)
    return (
        "".join(letter if ord(letter) in _glyphs() else _replaced(letter, missing) for letter in shown).strip() or "?"
    )


def families() -> list[str]:
    """The font of all figures, and the installed ones that complete it."""
    installed = set(font_manager.get_font_names())
    return [DEFAULT, *(name for name in FALLBACKS if name in installed)]


@cache
def _glyphs() -> frozenset[int]:
    paths = (font_manager.findfont(font_manager.FontProperties(family=[name])) for name in families())
    return frozenset(code for path in paths for code in font_manager.get_font(path).get_charmap())


def _replaced(letter: str, missing: str | None) -> str:
    category = unicodedata.category(letter)
    if category in ("Cf", "Cc"):
        return ""
    if missing is not None:
        return missing
    name = unicodedata.name(letter, "").lower() if category == "So" else ""
    return f" {name or f'U+{ord(letter):04X}'} "
