"""The report's section on a search, from hand-made files."""

from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from cvnlp import files
from cvnlp.paths import ProjectPaths, RunPaths
from cvnlp.report import tuning
from report_contents import figure_names, is_cut_off, words

CSV = """\
trial,state,score,epochs,train.lr,model.dropout,train.optimiser.schedule,model.hidden,reason
0,complete,0.5,4,0.01,0.3,cosine,[8],
1,complete,0.8,4,0.02,0.1,linear,"[8, 4]",
2,pruned,,2,0.1,0.5,cosine,[8],worse
3,complete,0.02,4,0.003,0.25,linear,[8],
4,failed,,1,0.3,0.25,linear,[8],the score is no longer a number
"""
VALUES = {"train.lr": 0.01, "model.dropout": 0.3, "train.optimiser.schedule": "cosine", "model.hidden": [8]}
SEARCH: dict[str, Any] = {
    "metric": "validation_nll",
    "lower_is_better": True,
    "epochs": 4,
    "ranges": {
        "train.lr": {"log_uniform": [0.001, 0.3]},
        "model.dropout": {"uniform": [0.0, 0.5]},
        "train.optimiser.schedule": {"choice": ["cosine", "linear"]},
        "model.hidden": {"choice": [[8], [8, 4]]},
    },
    "importance": {"train.lr": 0.7, "model.dropout": 0.2, "train.optimiser.schedule": 0.1, "model.hidden": 0.0},
    "present": {"trial": 0, "score": 0.5, "values": VALUES},
    "best": {"trial": 3, "score": 0.02, "values": VALUES | {"train.lr": 0.003}},
}


@pytest.fixture
def run(tmp_path: Path) -> RunPaths:
    return ProjectPaths(tmp_path).run("cnn", "digits")


def write(run: RunPaths, csv: str = CSV, **changes: Any) -> None:
    files.write_text(run.trials, csv)
    files.write_json(run.trials.with_suffix(".json"), SEARCH | changes)


def test_without_a_search_there_is_no_section(run: RunPaths) -> None:
    assert tuning.section(run) == []


def test_present_and_best_values_are_side_by_side(run: RunPaths, drawn: dict[str, Figure]) -> None:
    write(run)
    (section,) = tuning.section(run)
    table: Any = section.elements[0]
    assert [column.title for column in table.columns] == ["setting", "present (trial 0)", "best (trial 3)"]
    assert table.rows[0] == ("train.lr", "0.01", "0.003")
    assert table.rows[-1] == ("validation loss, nats", "0.5", "0.02")
    assert "3 complete, 1 pruned, 1 failed" in words([section])


def test_figures_have_every_complete_trial_and_a_plot_per_setting(run: RunPaths, drawn: dict[str, Figure]) -> None:
    write(run)
    found = tuning.section(run)
    names = ["tuning_history.png", "tuning_settings.png", "tuning_importance.png"]
    assert figure_names(found[0].elements) == names
    history, settings, importance = (drawn[name] for name in names)
    points, best, *marks = history.axes[0].lines
    assert list(points.get_xdata()) == [0, 1, 3] and list(best.get_ydata()) == [0.5, 0.5, 0.02]
    assert [list(mark.get_xdata()) for mark in marks] == [[2], [4]]
    assert [axis.get_xlabel() for axis in settings.axes] == list(SEARCH["ranges"])
    assert settings.axes[0].get_xscale() == "log" and settings.axes[0].get_yscale() == "log"
    assert [label.get_text() for label in settings.axes[2].get_xticklabels()] == ["cosine", "linear"]
    assert [x for x, _ in settings.axes[3].collections[0].get_offsets()] == [0, 1, 0]
    assert [bar.get_width() for bar in importance.axes[0].patches] == [0.7, 0.2, 0.1, 0.0]
    assert not any(map(is_cut_off, (history, settings, importance)))


def test_a_search_without_results_is_a_table_alone(run: RunPaths, drawn: dict[str, Figure]) -> None:
    lines = CSV.splitlines()
    write(run, "\n".join([lines[0], lines[3]]) + "\n", importance=None, present=None, best=None)
    (section,) = tuning.section(run)
    assert len(section.elements) == 1 and drawn == {}


def test_a_higher_score_may_be_the_better_one(run: RunPaths, drawn: dict[str, Figure]) -> None:
    write(run, metric="validation_accuracy", lower_is_better=False)
    tuning.section(run)
    assert list(drawn["tuning_history.png"].axes[0].lines[1].get_ydata()) == [0.5, 0.8, 0.8]
