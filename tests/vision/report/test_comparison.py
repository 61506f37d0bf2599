"""Several classifiers compared, from small hand-made tables."""

from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from cvnlp import files
from cvnlp.report import plots
from cvnlp.vision.report import comparison_section
from cvnlp.vision.report.insight import TRANSFORMATIONS
from report_contents import figure_paths, figures, is_cut_off, title

GROUPS = {"mlp": "digits", "flowers": "garden", "cnn": "digits"}
WORST = {"mlp": 0.0, "flowers": 0.5, "cnn": 0.25}


@pytest.fixture
def learned(tmp_path: Path) -> dict[str, Path]:
    """What `insight` leaves of three runs: of run number n, accuracy n / 10 + 0.1 after every transformation."""
    folders = {run: tmp_path / run for run in GROUPS}
    for number, (run, folder) in enumerate(folders.items()):
        rows = [
            {"transformation": name, "amount": amount, "accuracy": number / 10 + 0.1}
            for name in TRANSFORMATIONS
            for amount in (0.5, 1, 2)
        ]
        files.write_table(folder / "invariance.csv", pd.DataFrame(rows))
        row = {"rotation": 30, "shift": 1 + number, "points": 9, "images": 4, "accuracy": WORST[run]}
        files.write_table(folder / "worst_case.csv", pd.DataFrame([row]))
    return folders


def test_every_data_set_has_a_figure_of_its_runs(
    tmp_path: Path, learned: dict[str, Path], drawn: dict[str, Figure]
) -> None:
    found = comparison_section(learned, GROUPS, tmp_path)
    assert figure_paths(found) == [tmp_path / "invariance-digits.png", tmp_path / "invariance-garden.png"]
    assert [figure.title.split()[-1] for figure in figures(found)] == ["digits", "garden"]
    assert all(title(figure) and not is_cut_off(figure) for figure in drawn.values())
    names = {name: [text.get_text() for text in figure.legends[0].get_texts()] for name, figure in drawn.items()}
    assert names == {"invariance-digits.png": ["mlp", "cnn"], "invariance-garden.png": ["flowers"]}


def test_every_transformation_has_a_panel_with_a_line_for_each_run(
    tmp_path: Path, learned: dict[str, Path], drawn: dict[str, Figure]
) -> None:
    comparison_section(learned, GROUPS, tmp_path)
    *panels, _ = drawn["invariance-digits.png"].axes
    assert [axis.get_title() for axis in panels] == [label for label, _ in TRANSFORMATIONS.values()]
    assert [axis.get_xlabel() for axis in panels] == [unit for _, unit in TRANSFORMATIONS.values()]
    for axis in panels:
        assert [list(line.get_ydata()) for line in axis.lines] == [[0.1] * 3, pytest.approx([0.3] * 3)]
        assert all(list(line.get_xdata()) == [0.5, 1, 2] for line in axis.lines)


def test_worst_case_has_a_bar_in_the_colour_of_each_run(
    tmp_path: Path, learned: dict[str, Path], drawn: dict[str, Figure]
) -> None:
    comparison_section(learned, GROUPS, tmp_path)
    first, *_, worst = drawn["invariance-digits.png"].axes
    assert [bar.get_width() for bar in worst.patches] == [WORST["mlp"], WORST["cnn"]]
    assert [label.get_text() for label in worst.get_yticklabels()] == ["mlp", "cnn"]
    assert [text.get_text() for text in worst.texts] == ["0.0%", "25.0%"]
    styles = plots.line_styles(GROUPS)
    assert [line.get_color() for line in first.lines] == [styles["mlp"]["color"], styles["cnn"]["color"]]
    assert worst.get_xlabel() == "accuracy, within ±30°, ±1 px\nor ±30°, ±3 px"
