"""Scores under attack of several runs, from small hand-made tables."""

from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from cvnlp import domains
from cvnlp.report.comparison import robustness, worst_cases
from report_contents import figure_names, is_cut_off, title


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
    (legend,) = drawn["attacks.png"].legends  # one for all plots, of the run with all attacks
    assert [text.get_text() for text in legend.get_texts()] == [label for label, _ in shown.attacks.values()]
    assert first.get_legend() is second.get_legend() is None
    assert title(drawn["attacks.png"]) == shown.title and not is_cut_off(drawn["attacks.png"])


@pytest.mark.parametrize("half", domains.HALVES)
def test_the_worst_case_of_all_runs_is_a_plot_for_each_data_set(
    half: str, drawn: dict[str, Figure], tmp_path: Path
) -> None:
    shown = domains.DOMAINS[half].report.ROBUSTNESS
    rows = [{"method": method, shown.strength: 0.1, shown.metric: 0.5} for method in ("random", "worst_case")]
    runs = {"one": "digits", "two": "digits", "three": "clothes"}
    tables, scores = dict.fromkeys(runs, pd.DataFrame(rows)), {run: {f"{shown.metric}_clean": 0.75} for run in runs}
    worst_cases(shown, tables, scores, runs, tmp_path / "worst.png")
    first, second = drawn["worst.png"].axes
    assert (first.get_title(), second.get_title()) == ("digits", "clothes")
    assert [line.get_label() for line in first.lines] == ["one", "two"]
    assert all(list(line.get_ydata()) == [0.75, 0.5] for line in first.lines)
    assert title(drawn["worst.png"]) == shown.worst_title and not is_cut_off(drawn["worst.png"])
