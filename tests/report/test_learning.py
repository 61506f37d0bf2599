"""Learning curves of several runs, and where networks cross a model that counts, from small hand-made tables."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from cvnlp import domains
from cvnlp.report.learning import LearningCurves, Training, crossings, learning_curves
from report_contents import figure_names, is_cut_off, title

EMPTY = pd.DataFrame({"epoch": [], "step": [], "validation_nll": [], "validation_accuracy": []})
LOSS = LearningCurves(
    metric="loss", label="loss", title="Learning curves", caption="Loss.", unit="tokens", lower_is_better=True
)


def training(dataset: str, values: list[float], *, metric: str = "loss", examples: int = 4_000_000) -> Training:
    steps = [10 * (epoch + 1) for epoch in range(len(values))]
    history = pd.DataFrame({"epoch": range(len(values)), "step": steps, metric: values})
    return Training(dataset=dataset, history=history, examples=examples)


@pytest.mark.parametrize("half", domains.HALVES)
def test_learning_curves_have_a_plot_per_data_set_and_a_line_per_trained_run(
    half: str, drawn: dict[str, Figure], tmp_path: Path
) -> None:
    shown = domains.DOMAINS[half].report.LEARNING
    untrained = Training(dataset="digits", history=EMPTY, examples=0)
    runs = {name: training(name, [0.5, 0.25], metric=shown.metric, examples=6000) for name in ("digits", "flowers")}
    found = learning_curves(shown, {"rules": untrained, **runs}, tmp_path / "learning.png")
    assert figure_names(found) == ["learning.png"]
    figure = drawn["learning.png"]
    assert [axis.get_title() for axis in figure.axes] == ["digits", "flowers"]
    assert [[line.get_label() for line in axis.lines] for axis in figure.axes] == [["digits"], ["flowers"]]
    assert list(figure.axes[0].lines[0].get_xdata()) == [3, 6]
    assert figure.axes[0].get_xlabel() == f"thousand {shown.unit} trained on"
    assert title(figure) == shown.title and not is_cut_off(figure)


def test_runs_without_training_have_no_learning_curves(drawn: dict[str, Figure], tmp_path: Path) -> None:
    untrained = Training(dataset="digits", history=EMPTY, examples=0)
    assert learning_curves(LOSS, {"rules": untrained}, tmp_path / "learning.png") == []
    assert drawn == {}


def test_a_model_that_counts_is_a_horizontal_line_among_networks(drawn: dict[str, Figure], tmp_path: Path) -> None:
    runs = {"ngram": training("plays", [1.5]), "lstm": training("plays", [1.8, 1.4])}
    learning_curves(LOSS, runs, tmp_path / "learning.png")
    counting, network = drawn["learning.png"].axes[0].lines
    assert list(counting.get_ydata()) == [1.5, 1.5]
    assert list(network.get_xdata()) == [2, 4]


def test_the_caption_says_from_where_on_a_network_is_better_than_counting() -> None:
    runs = {
        "ngram": training("plays", [1.5]),
        "lstm": training("plays", [1.8, 1.6, 1.4, 1.3]),
        "rnn": training("plays", [1.8, 1.5]),
        "words": training("others", [0.5]),
    }
    assert crossings(LOSS, runs) == ["Better than ngram: lstm after 3 million tokens; never better than ngram: rnn."]


def test_a_higher_accuracy_is_better() -> None:
    accuracy = LearningCurves(
        metric="loss", label="accuracy", title="", caption="", unit="images", lower_is_better=False
    )
    runs = {"count": training("digits", [0.9]), "cnn": training("digits", [0.8, 0.95], examples=8000)}
    assert crossings(accuracy, runs) == ["Better than count: cnn after 8 thousand images."]


def test_a_run_with_several_seeds_is_their_mean_with_a_band(drawn: dict[str, Figure], tmp_path: Path) -> None:
    seeds = tuple(training("plays", values).history for values in ([1.0, 0.5, 0.2], [3.0, 1.5]))
    run = replace(training("plays", [2.0, 1.0, 0.6]), seeds=seeds)
    found = learning_curves(LOSS, {"lstm": run, "gru": training("plays", [1.0, 0.9])}, tmp_path / "learning.png")
    (axis,) = drawn["learning.png"].axes
    assert list(axis.lines[0].get_ydata()) == [2.0, 1.0]  # of the epochs that all seeds have
    (band,) = axis.collections
    assert band.get_paths()[0].get_extents().y0 == pytest.approx(0.5)  # 1 - 0.5
    assert band.get_paths()[0].get_extents().y1 == pytest.approx(3.0)  # 2 + 1
    assert "a band of one standard deviation" in found[0].caption
