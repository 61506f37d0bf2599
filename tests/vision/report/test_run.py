"""The section of a classifier's scores, from small hand-made tables."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from cvnlp import files
from cvnlp.vision.report import run

CURVE = {"recall": [0.0, 0.5, 0.5, 1.0], "precision": [1.0, 1.0, 0.5, 0.25]}


def write_details(folder: Path, classes: int) -> None:
    """Of so many classes, the better the later; the last, called NA, has no picture."""
    names = [*(f"class {number}" for number in range(classes - 1)), "NA"]
    table = pd.DataFrame(
        {"class": names, "f1": 0.5, "average_precision": np.linspace(0.5, 0.9, classes), "pictures": 4}
    )
    table.loc[classes - 1, ["average_precision", "pictures"]] = [None, 0]
    files.write_table(folder / "classes.csv", table)
    curves = [pd.DataFrame({"class": name} | CURVE) for name in names[:-1]]
    files.write_table(folder / "curves.csv", pd.concat(curves))
    files.write_table(folder / "confusion.csv", pd.DataFrame(np.eye(classes, dtype=int), columns=names))
    files.write_table(
        folder / "calibration.csv", pd.DataFrame({"pictures": [4], "confidence": [0.9], "accuracy": [0.8]})
    )
    columns = ["index", "actual", "predicted", "confidence"]
    files.write_table(folder / "mistakes.csv", pd.DataFrame(columns=columns))


@pytest.mark.parametrize(("classes", "named"), [(3, 2), (11, 10), (12, 8), (60, 8)])
def test_curves_of_the_worst_classes_are_named(
    tmp_path: Path, drawn: dict[str, Figure], classes: int, named: int
) -> None:
    write_details(tmp_path, classes)
    run.draw_run(tmp_path, tmp_path / "none", tmp_path / "out")
    (axis,) = drawn["curves.png"].axes
    assert len(axis.lines) == classes - 1
    shown = [text.get_text() for text in axis.get_legend().get_texts()]
    assert [text.split(":")[0] for text in shown] == [f"class {number}" for number in range(named)]
    assert shown[0] == "class 0: 0.500"


def test_class_without_pictures_has_an_empty_cell(tmp_path: Path, drawn: dict[str, Figure]) -> None:
    write_details(tmp_path, 3)
    lines = run.draw_run(tmp_path, tmp_path / "none", tmp_path / "out")
    (table,) = (line for line in lines if line.startswith("| class"))
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()]
    assert rows[0] == ["class", "f1", "average_precision", "pictures"]
    assert rows[2:] == [
        ["class 0", "0.500", "0.500", "4"],
        ["class 1", "0.500", "0.700", "4"],
        ["NA", "0.500", "", "0"],
    ]
    assert any("{folder}/curves.png" in line for line in lines)


@pytest.mark.parametrize(("average", "lowest"), [([1.0, 1.0], 0.9), ([0.99, 1.0], 0.7), ([0.3, 1.0], 0.0)])
def test_axes_show_the_corner_in_which_the_curves_are(
    tmp_path: Path, drawn: dict[str, Figure], average: list[float], lowest: float
) -> None:
    classes = pd.DataFrame({"class": ["a", "b"], "average_precision": average})
    curves = pd.concat([pd.DataFrame({"class": name} | CURVE) for name in "ab"])
    run._draw_curves(curves, classes, tmp_path / "curves.png")
    (axis,) = drawn["curves.png"].axes
    assert axis.get_xlim()[0] == axis.get_ylim()[0] == pytest.approx(lowest)
