"""Learning curves and scores under attack of several runs, from small hand-made tables."""

from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from cvnlp import domains
from cvnlp.report.comparison import learning_curves, robustness
from report_contents import figure_names, is_cut_off, title

GROUPS = {"rules": "digits", "mlp": "digits", "cnn": "flowers"}
EMPTY = pd.DataFrame({"epoch": [], "validation_nll": [], "validation_accuracy": []})


@pytest.mark.parametrize("half", domains.HALVES)
def test_learning_curves_have_a_plot_per_data_set_and_a_line_per_trained_run(
    half: str, drawn: dict[str, Figure], tmp_path: Path
) -> None:
    shown = domains.DOMAINS[half].report.LEARNING
    table = pd.DataFrame({"epoch": [0, 1], shown.metric: [0.5, 0.25]})
    histories = {"rules": EMPTY, "mlp": table, "cnn": table}
    found = learning_curves(shown, histories, GROUPS, tmp_path / "learning.png")
    assert figure_names(found) == ["learning.png"]
    figure = drawn["learning.png"]
    assert [axis.get_title() for axis in figure.axes] == ["digits", "flowers"]
    assert [[line.get_label() for line in axis.lines] for axis in figure.axes] == [["mlp"], ["cnn"]]
    assert list(figure.axes[0].lines[0].get_xdata()) == [1, 2]  # epochs are counted from 1
    assert {(axis.get_xlabel(), axis.get_ylabel()) for axis in figure.axes} == {("epoch", shown.label)}
    assert title(figure) == shown.title and not is_cut_off(figure)


def test_runs_without_training_have_no_learning_curves(drawn: dict[str, Figure], tmp_path: Path) -> None:
    shown = domains.DOMAINS["vision"].report.LEARNING
    assert learning_curves(shown, {"rules": EMPTY}, {"rules": "digits"}, tmp_path / "learning.png") == []
    assert drawn == {}


@pytest.mark.parametrize("half", domains.HALVES)
def test_every_attack_is_a_line_with_its_label_that_starts_at_the_clean_score(
    half: str, drawn: dict[str, Figure], tmp_path: Path
) -> None:
    shown = domains.DOMAINS[half].report.ROBUSTNESS
    rows = [{"method": method, shown.strength: 0.1, shown.metric: 0.5} for method in shown.attacks]
    tables = {"mlp": pd.DataFrame(rows[:1]), "cnn": pd.DataFrame(rows)}
    scores = {run: {f"{shown.metric}_clean": 0.75} for run in tables}
    found = robustness(shown, tables, scores, tmp_path / "attacks.png")
    assert figure_names(found) == ["attacks.png"]
    first, second = drawn["attacks.png"].axes
    assert (first.get_title(), second.get_title()) == ("mlp", "cnn")
    assert [line.get_label() for line in second.lines] == [label for label, _ in shown.attacks.values()]
    assert all(list(line.get_ydata()) == [0.75, 0.5] for line in second.lines)
    assert [text.get_text() for text in second.get_legend().get_texts()] == [
        label for label, _ in shown.attacks.values()
    ]
    assert first.get_legend() is None  # one legend, next to the run with all attacks
    assert title(drawn["attacks.png"]) == shown.title and not is_cut_off(drawn["attacks.png"])
