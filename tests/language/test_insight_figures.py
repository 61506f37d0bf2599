"""How far back language models look, of one and side by side, from small hand-made tables."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from cvnlp import files
from cvnlp.language.comparison_figures import draw_comparison
from cvnlp.language.insight_figures import draw_insight

GROUPS = {"rnn": "plays", "words": "news", "lstm": "plays", "counted": "plays"}


def write_learned(folder: Path, number: int, *, gradients: bool) -> None:
    """What `insight` leaves of a run: a loss of `number` + 1 nats, and gradients that fall to a share `number` + 2."""
    tokens = [2**power for power in range(3 + number)]
    files.write_table(folder / "context.csv", pd.DataFrame({"tokens": tokens, "nats": number + 1.0}))
    if not gradients:
        return
    steps = np.arange(4 + number)
    norms = pd.DataFrame({"steps_back": steps, "start": 0.5**steps, "trained": (1 / (number + 2.0)) ** steps})
    files.write_table(folder / "gradients.csv", norms)
    words = pd.DataFrame({"token": ["null", '"'], "x": [0.0, 1.0], "y": [1.0, 0.0]})
    files.write_table(folder / "projection.csv", words)
    near = pd.DataFrame({"token": ["null"], "rank": 1, "neighbour": ["NA"], "cosine": 0.5})
    files.write_table(folder / "neighbours.csv", near)


@pytest.fixture
def learned(tmp_path: Path) -> dict[str, Path]:
    """Four runs, of which one learned without gradients."""
    folders = {run: tmp_path / run for run in GROUPS}
    for number, (run, folder) in enumerate(folders.items()):
        write_learned(folder, number, gradients=run != "counted")
    return folders


def lines(figure: Figure, panel: int) -> dict[str, list[float]]:
    return {str(line.get_label()): list(line.get_ydata()) for line in figure.axes[panel].lines}


def test_every_data_set_has_a_figure_of_its_runs(
    tmp_path: Path, learned: dict[str, Path], drawn: dict[str, Figure]
) -> None:
    captions = draw_comparison(learned, GROUPS, tmp_path)
    assert list(captions.values()) == [tmp_path / "dependencies-plays.png", tmp_path / "dependencies-news.png"]
    plays = drawn["dependencies-plays.png"]
    assert lines(plays, 0) == {
        "rnn": pytest.approx([1, 1 / 2, 1 / 4, 1 / 8]),
        "lstm": pytest.approx(0.25 ** np.arange(6), rel=1e-5),
    }
    assert lines(plays, 1) == {"rnn": [1.0] * 3, "lstm": [3.0] * 5, "counted": [4.0] * 6}
    assert list(lines(drawn["dependencies-news.png"], 1)) == ["words"]


def test_models_without_gradients_are_compared_by_their_loss_alone(
    tmp_path: Path, learned: dict[str, Path], drawn: dict[str, Figure]
) -> None:
    draw_comparison(learned, {"counted": "plays"}, tmp_path)
    assert len(drawn["dependencies-plays.png"].axes) == 1


def test_section_shows_what_there_is(tmp_path: Path, learned: dict[str, Path], drawn: dict[str, Figure]) -> None:
    text = "\n".join(draw_insight(learned["rnn"], tmp_path))
    assert set(drawn) == {"dependencies.png", "embedding.png"}
    assert list(lines(drawn["dependencies.png"], 0)) == ["start", "trained"]
    assert "the gradient of one loss" in text and "| `null`" in text and "`NA` 0.50" in text
    drawn.clear()
    text = "\n".join(draw_insight(learned["counted"], tmp_path))
    assert set(drawn) == {"dependencies.png"}
    assert "How far back it looks: the loss when fewer are read:" in text and "embedding" not in text
