"""The whole analysis of a language model: tables, scores, determinism, and its section of the report."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cvnlp import files, networks
from cvnlp.data import prepared
from cvnlp.data.prepared import LanguageFacts
from cvnlp.language.insight import analyse
from cvnlp.language.report.insight import insight_section
from cvnlp.launch import devices
from cvnlp.params.insight import LanguageInsight
from make_networks import make_config
from report_contents import figure_names, samples, tables

OPTIONS = LanguageInsight(
    excerpts=6,
    length=24,
    words=15,
    neighbours=3,
    state_tokens=900,
    temperatures=[0.5, 1.0],
    samples=3,
    sample_tokens=30,
    recall_steps=1,
)
EVERY_MODEL = {"context.csv", "prefixes.csv", "positions.csv", "frequencies.csv", "samples.json"}
EMBEDDING_TABLES = {"neighbours.csv", "projection.csv", "similarity.csv", "relations.csv"}
STATE_TABLES = {"gradients.csv", "units.csv", "states.json", "recall.csv"}
SIZES = {"embedding_size": 8, "hidden_size": 12}


def run_analysis(data: Path, folder: Path, name: str = "lstm", **changes: Any) -> dict[str, float]:
    facts = prepared.read_facts(data, LanguageFacts)
    config = make_config(
        "language", name, {"vocabulary_size": facts.vocabulary_size}, **({} if name == "ngram" else SIZES)
    )
    trained, untrained = (networks.build(config, seed=seed).to(devices.device()).eval() for seed in (1, 2))
    return analyse(trained, untrained, data, facts, OPTIONS.model_copy(update=changes), folder)


@pytest.mark.parametrize("name", ["language_data", "words_data"])
def test_tables_and_scores_are_written(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    data = request.getfixturevalue(name)
    scores = run_analysis(data, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == EVERY_MODEL | EMBEDDING_TABLES | STATE_TABLES
    assert set(scores) > {
        *(f"gradient_{steps}{when}" for steps in (10, 20) for when in ("", "_untrained")),
        *(f"nats_context_{tokens}" for tokens in (1, 2, 4, 8, 16)),
        *(f"copied_{text}" for text in ("0.5", "1", "validation")),
        *("extra_nats_1_at_1", "extra_nats_4_at_16", "nats_position_1", "recall_20", "unit_position_in_the_line"),
    }
    assert all(isinstance(value, float) for value in scores.values())
    vocabulary = files.read_json(data / "vocabulary.json")
    projection = pd.read_csv(tmp_path / "projection.csv", keep_default_na=False)
    assert projection["token"].tolist() == vocabulary[1:16]
    neighbours = pd.read_csv(tmp_path / "neighbours.csv", keep_default_na=False)
    assert len(neighbours) == 15 * 3
    assert "<unk>" not in set(neighbours["neighbour"])


@pytest.mark.parametrize(("name", "gates"), [("rnn", 0), ("gru", 2), ("lstm", 3)])
def test_states_are_shown_for_lines_of_the_text(name: str, gates: int, language_data: Path, tmp_path: Path) -> None:
    run_analysis(language_data, tmp_path, name)
    strip = files.read_json(tmp_path / "states.json")
    text = "".join(
        files.read_json(language_data / "vocabulary.json")[token] for token in read_validation(language_data)
    )
    assert f"\n{''.join(strip['tokens'])}" in text
    assert len(strip["gates"]) == gates
    values = [*strip["gates"].values(), *strip["units"].values()]
    assert all(len(of_strip) == len(strip["tokens"]) for of_strip in values)
    units = pd.read_csv(tmp_path / "units.csv")
    assert set(strip["units"]) == set(units["feature"][units["held_out"].abs() >= 0.5])
    assert (units["layer"] == 1).all() and units["unit"].between(0, 11).all()


def read_validation(data: Path) -> np.ndarray:
    return np.concatenate(([prepared.read_facts(data, LanguageFacts).start], prepared.load_array(data, "validation")))


def test_losses_by_frequency_count_every_token_once(language_data: Path, tmp_path: Path) -> None:
    run_analysis(language_data, tmp_path)
    frequencies = pd.read_csv(tmp_path / "frequencies.csv")
    assert 700 < frequencies["tokens"].sum() <= 900
    assert frequencies["share"].sum() == pytest.approx(1, abs=0.1)  # decades with few tokens are left out
    mean = (frequencies["nats"] * frequencies["tokens"]).sum() / frequencies["tokens"].sum()
    assert mean == pytest.approx(
        np.log(prepared.read_facts(language_data, LanguageFacts).vocabulary_size), rel=0.1
    )  # it is not trained


def test_copied_spans_occur_in_the_training_text(language_data: Path, tmp_path: Path) -> None:
    scores = run_analysis(language_data, tmp_path)
    vocabulary = files.read_json(language_data / "vocabulary.json")
    train = "".join(vocabulary[token] for token in prepared.load_array(language_data, "train"))
    rows = files.read_json(tmp_path / "samples.json")
    assert set(rows) == {"0.5", "1", "validation"}
    for name, row in rows.items():
        assert len(row["text"]) == 30 and len(row["copied"]) == row["longest"] and row["copied"] in train
        assert row["median"] == scores[f"copied_{name}"] <= row["longest"]
    assert rows["validation"]["longest"] == 30  # the test data repeat themselves


@pytest.mark.parametrize("name", ["language_data", "words_data"])
def test_network_without_embeddings_has_the_tables_of_every_model(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    scores = run_analysis(request.getfixturevalue(name), tmp_path / "in", "ngram")
    assert {path.name for path in (tmp_path / "in").iterdir()} == EVERY_MODEL
    assert not any(key.startswith(("gradient", "unit", "recall")) for key in scores)
    found = insight_section(tmp_path / "in", tmp_path / "out")
    assert figure_names(found) == ["context.png", "token_losses.png"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(figure_names(found))
    assert ("temperature", "0.5") in samples(found)[0].details


def test_analysis_is_deterministic(language_data: Path, tmp_path: Path) -> None:
    assert run_analysis(language_data, tmp_path / "first") == run_analysis(language_data, tmp_path / "second")
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()


def test_recall_task_can_be_left_out(language_data: Path, tmp_path: Path) -> None:
    scores = run_analysis(language_data, tmp_path, recall_steps=0)
    assert not (tmp_path / "recall.csv").exists()
    assert not any(key.startswith("recall") for key in scores)


def test_excerpts_longer_than_the_text_are_refused(language_data: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"insight\.length: 1000000 is more than the .* tokens of the validation text"):
        run_analysis(language_data, tmp_path, length=1_000_000)


def test_split_test_is_not_read(language_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load = prepared.load_array

    def refuse(folder: Path, name: str) -> Any:
        assert not name.startswith("test")
        return load(folder, name)

    monkeypatch.setattr(prepared, "load_array", refuse)
    run_analysis(language_data, tmp_path)


@pytest.mark.parametrize("name", ["language_data", "words_data"])
def test_section_has_every_figure_that_is_drawn(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    run_analysis(request.getfixturevalue(name), tmp_path / "in")
    found = insight_section(tmp_path / "in", tmp_path / "out")
    drawn = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"context.png", "token_losses.png", "embedding.png", "similarity.png"} <= drawn
    assert set(figure_names(found)) == drawn
    assert {"Nearest neighbours of the most frequent tokens", "Units that track a quantity"} <= tables(found).keys()
