"""Heat maps: the colour and the text of each cell, labels, and nothing cut off."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from cvnlp.report import heat_maps, plots
from cvnlp.report.heat_maps import HeatMap, Style
from report_contents import is_cut_off, texts_of, title

VALUES = np.array([[0.0, 1.0], [np.nan, 0.5]])


def test_each_cell_has_the_colour_of_its_number_and_none_without_one(tmp_path: Path) -> None:
    path = tmp_path / "map.png"
    heat_maps.draw([HeatMap(VALUES, [","] * 2, [","] * 2)], path, title=".", style=Style("Greys", cell=(2, 2)))
    shades = np.asarray(Image.open(path).convert("L")).astype(int)
    black, grey = (abs(shades - shade) < 8 for shade in (0, 150))
    assert black[60:].sum() == pytest.approx((2 * plots.DPI) ** 2, rel=0.02)
    assert grey[60:].sum() == pytest.approx((2 * plots.DPI) ** 2, rel=0.05)  # with the frame
    (rows, columns), (below, right) = (np.nonzero(mask) for mask in (black[60:], grey[60:]))
    assert np.median(rows) < np.median(below) and np.median(columns) == pytest.approx(np.median(right), abs=2)


def test_texts_are_white_on_dark_cells(tmp_path: Path, drawn: dict[str, Figure]) -> None:
    shown = HeatMap(VALUES, ["a", "b"], ["c", "d"], {(0, 0): "light", (0, 1): "dark"})
    heat_maps.draw([shown], tmp_path / "map.png", title="Map", style=Style())
    colours = {text.get_text(): text.get_color() for text in texts_of(drawn["map.png"])}
    assert colours["light"] == "black" and colours["dark"] == "white"


@pytest.mark.parametrize("names", [["0"], ["0", "1"], ["W" * 24, "background"], [f"class {n}" for n in range(30)]])
@pytest.mark.parametrize("several", [False, True])
def test_labels_titles_and_axes_are_shown_and_nothing_is_cut_off(
    names: list[str], several: bool, tmp_path: Path, drawn: dict[str, Figure]
) -> None:
    values = np.linspace(0, 1, len(names) ** 2).reshape(len(names), -1)
    maps = [HeatMap(values, names, names, title="learned output embedding")] * (1 + several)
    axes = {"row_axis": "class A, the true class", "column_axis": "class B, the target"}
    heat_maps.draw(maps, tmp_path / "map.png", title="A map", style=Style(), **axes, bar="cosine similarity" * several)
    figure = drawn["map.png"]
    found = [text.get_text() for text in texts_of(figure)]
    assert {*names, *axes.values(), "learned output embedding"} <= {*found}
    assert ("0.25" in found) == several
    assert title(figure) == "A map" and not is_cut_off(figure)
