"""What language models have learned, of one and of several compared, from small hand-made tables."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from cvnlp import files
from cvnlp.language.report import comparison_section, insight_section
from cvnlp.report import heat_maps
from cvnlp.report.heat_maps import HeatMap
from report_contents import (
    columns,
    figure_names,
    figure_paths,
    is_cut_off,
    rows,
    samples,
    tables,
    title,
    token_texts,
    words,
)

GROUPS = {"rnn": "plays", "words": "news", "lstm": "plays", "counted": "plays"}


def write_learned(folder: Path, number: int, *, gradients: bool) -> None:
    """What `insight` leaves of a run: a loss of `number` + 1 nats, and gradients that fall to a share `number` + 2."""
    tokens = [2**power for power in range(3 + number)]
    files.write_table(folder / "context.csv", pd.DataFrame({"tokens": tokens, "nats": number + 1.0}))
    changed = {"prefix": [1, 1, 4, 4], "distance": [1, 2] * 2, "extra": [1.0, 0.5, number + 2.0, 0.0], "error": 0.1}
    files.write_table(folder / "prefixes.csv", pd.DataFrame(changed))
    files.write_table(folder / "positions.csv", pd.DataFrame({"position": [1, 2], "nats": [3.0, 2.0], "tokens": 40}))
    costs = {"frequency": [0, 1, 10], "nats": [4.0, 6.0, 2.0], "tokens": 50, "share": [0.3, 0.5, 0.2]}
    files.write_table(folder / "frequencies.csv", pd.DataFrame(costs))
    row = {"text": "no more\nof that", "median": 6.5, "longest": 8, "copied": "more\n|of"}
    files.write_json(folder / "samples.json", dict.fromkeys(("validation", "1", "0.5"), row))
    if gradients:
        write_recurrent(folder, number)


def write_recurrent(folder: Path, number: int) -> None:
    """What there is only of a recurrent network."""
    steps = np.arange(4 + number)
    norms = pd.DataFrame({"steps_back": steps, "untrained": 0.5**steps, "trained": (1 / (number + 2.0)) ** steps})
    files.write_table(folder / "gradients.csv", norms)
    words = pd.DataFrame({"token": ["null", '"'], "x": [0.0, 1.0], "y": [1.0, 0.0]})
    files.write_table(folder / "projection.csv", words)
    near = pd.DataFrame({"token": ["null"], "rank": 1, "neighbour": ["NA"], "cosine": 0.5})
    files.write_table(folder / "neighbours.csv", near)
    pairs = {"token": ["null", "null", "$x", "$x"], "other": ["null", "$x"] * 2, "input": [1, 0.5, 0.5, 1]}
    files.write_table(folder / "similarity.csv", pd.DataFrame(pairs))
    asked = {"relation": "male to female", "vectors": ["input"], "questions": 90, "accuracy": 0.25, "chance": 0.01}
    files.write_table(folder / "relations.csv", pd.DataFrame(asked).assign(untrained=0.02))
    units = {"feature": ["position in the line", "tokens since punctuation"], "unit": [7, 3], "selection": 0.9}
    files.write_table(folder / "units.csv", pd.DataFrame(units).assign(held_out=[-0.8, 0.1], untrained=0.2, layer=1))
    strip = {"tokens": ["a", "b", "\n", "$"], "token_kind": "characters", "line_end": "\n"}
    values = [0.1, 0.2, 0.3, 0.4]
    strips = {"gates": {"forget": values, "input": values}, "units": {"position in the line": values}}
    files.write_json(folder / "states.json", strip | strips)
    asked_back = {"steps_back": [1, 20], "accuracy": [1.0, 0.75], "std": [0.0, 0.1], "trained": 20, "chance": 0.125}
    training = {"seeds": 3, "most_steps": 1000, "converged": 1}
    files.write_table(folder / "recall.csv", pd.DataFrame(asked_back).assign(**training))


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
    found = comparison_section(learned, GROUPS, tmp_path)
    names = ["context-plays.png", "context-news.png", "recall.png"]
    assert figure_paths(found) == [tmp_path / name for name in names]
    assert all(title(figure) and not is_cut_off(figure) for figure in drawn.values())
    plays = drawn["context-plays.png"]
    assert lines(plays, 0) == {
        "rnn": pytest.approx([1, 1 / 2, 1 / 4, 1 / 8]),
        "lstm": pytest.approx(0.25 ** np.arange(6), rel=1e-5),
    }
    assert lines(plays, 1) == {"rnn": [1.0] * 3, "lstm": [3.0] * 5, "counted": [4.0] * 6}
    assert [entry.get_text() for entry in plays.axes[2].get_legend().texts] == ["rnn", "lstm", "counted"]
    highest = [container.lines[0].get_ydata()[0] for container in plays.axes[2].containers]
    assert highest == [2.0, 4.0, 5.0]  # of the longest prefix
    assert list(lines(drawn["context-news.png"], 1)) == ["words"]
    (recalled,) = drawn["recall.png"].axes
    curves = {container.get_label(): list(container.lines[0].get_ydata()) for container in recalled.containers}
    assert curves["words"] == [1.0, 0.75] and "counted" not in curves
    assert "rnn (after 1,000 steps, 1 of 3)" in words(found)


def test_models_without_gradients_are_compared_by_their_losses_alone(
    tmp_path: Path, learned: dict[str, Path], drawn: dict[str, Figure]
) -> None:
    found = comparison_section(learned, {"counted": "plays"}, tmp_path)
    assert figure_names(found) == ["context-plays.png"]
    assert len(drawn["context-plays.png"].axes) == 2


OF_ALL = ["context.png", "token_losses.png"]


def test_section_of_a_recurrent_network_has_all_figures_and_tables(
    tmp_path: Path, learned: dict[str, Path], drawn: dict[str, Figure]
) -> None:
    found = insight_section(learned["rnn"], tmp_path)
    assert figure_names(found) == [*OF_ALL, "embedding.png", "similarity.png"]
    assert set(figure_names(found)) == set(drawn)
    assert list(lines(drawn["context.png"], 0)) == ["untrained", "trained"]
    recalled = columns(tables(found)["Recall of one symbol"])
    assert recalled == {"steps back": ["1", "20"], "accuracy": ["100%", "75%"], "standard deviation": ["0%", "10%"]}
    assert "up to 20 steps back: mean and standard deviation of 3 seeds" in words(found)
    assert "1 of them have learned it; the others were stopped after 1,000 training steps" in words(found)
    assert "Guessing is correct in 12.5%." in words(found)
    neighbours = columns(tables(found)["Nearest neighbours of the most frequent tokens"])
    assert neighbours == {"token": ["null"], "nearest tokens (cosine)": ["NA 0.50"]}
    (relation,) = rows(tables(found)["Relations between embeddings"]).values()
    assert relation["relation"] == "male to female" and relation["embedding"] == "input embedding"
    assert (relation["correct"], relation["untrained network"], relation["guessing"]) == ("25.0%", "2.0%", "1.00%")


def test_section_of_a_network_without_gradients_and_embeddings_leaves_them_out(
    tmp_path: Path, learned: dict[str, Path], drawn: dict[str, Figure]
) -> None:
    found = insight_section(learned["counted"], tmp_path)
    assert figure_names(found) == list(drawn) == OF_ALL
    assert list(tables(found)) == ["Copies of the training text"]
    assert len(drawn["context.png"].axes) == 2
    assert "gradient" not in words(found)


@pytest.mark.parametrize("run", GROUPS)
def test_figures_have_titles_and_nothing_is_cut_off(
    run: str, tmp_path: Path, learned: dict[str, Path], drawn: dict[str, Figure]
) -> None:
    insight_section(learned[run], tmp_path)
    for name, figure in drawn.items():
        assert title(figure), name
        assert not is_cut_off(figure), name


def test_units_have_the_correlation_of_the_second_half_and_the_clear_ones_are_drawn(
    tmp_path: Path, learned: dict[str, Path], drawn: dict[str, Figure]
) -> None:
    found = insight_section(learned["rnn"], tmp_path)
    table = rows(tables(found)["Units that track a quantity"])
    assert list(table) == ["position in the line", "tokens since punctuation"]
    unit = table["position in the line"]
    assert (unit["unit"], unit["correlation"], unit["where it was chosen"]) == ("7 of layer 1", "-0.80", "0.90")
    texts = token_texts(found)
    (activation,) = texts["Activations of units that track a quantity"].quantities
    assert activation.name == "unit 7 of layer 1: position in the line (r = -0.80)"
    assert vars(activation)["values"] == pytest.approx((0.1, 0.2, 0.3, 0.4))
    assert (activation.low, activation.high) == pytest.approx((0.106, 0.394))  # outliers have the colours of the ends
    assert len(texts["Gates of the last layer along a text"].quantities) == 2


def test_one_hot_vectors_are_shown_next_to_learned_ones(
    tmp_path: Path, learned: dict[str, Path], drawn: dict[str, Figure], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[HeatMap] = []
    monkeypatch.setattr(heat_maps, "draw", lambda maps, path, **_: shown.extend(maps))
    insight_section(learned["rnn"], tmp_path)
    assert [one.numbers.tolist() for one in shown[:2]] == [[[1, 0], [0, 1]], [[1, 0.5], [0.5, 1]]]
    assert shown[0].title == "one-hot vectors"


def test_samples_are_ordered_by_temperature_and_copies_are_a_table(
    tmp_path: Path, learned: dict[str, Path], drawn: dict[str, Figure]
) -> None:
    found = insight_section(learned["counted"], tmp_path)
    assert [sample.details for sample in samples(found)] == [(("temperature", "0.5"),), (("temperature", "1"),)]
    copies = rows(tables(found)["Copies of the training text"])
    assert list(copies) == ["temperature 0.5", "temperature 1", "validation text"]
    assert {(row["median length"], row["longest"]) for row in copies.values()} == {("6.5", "8")}
    assert copies["validation text"]["longest span"] == "more\n|of"


def test_a_run_whose_units_track_nothing_has_no_figure_of_them(
    tmp_path: Path, learned: dict[str, Path], drawn: dict[str, Figure]
) -> None:
    strip = files.read_json(learned["rnn"] / "states.json")
    files.write_json(learned["rnn"] / "states.json", strip | {"gates": {}, "units": {}})
    found = insight_section(learned["rnn"], tmp_path)
    assert "tokens since punctuation" in rows(tables(found)["Units that track a quantity"])
    assert not token_texts(found)
