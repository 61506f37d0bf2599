"""The whole look into a language model: tables, flat scores, the same bytes each time, its section of the report."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cvnlp import files, networks, prepared
from cvnlp.language.insight import examine
from cvnlp.language.insight_figures import draw_insight

OPTIONS = {"excerpts": 6, "length": 24, "words": 15, "neighbours": 3}
TABLES = {"gradients.csv", "context.csv", "neighbours.csv", "projection.csv"}


def look(data: Path, folder: Path, **changes: Any) -> dict[str, float]:
    facts = files.read_json(data / "facts.json")
    config = {
        "domain": "language",
        "name": "lstm",
        "data": {"vocabulary_size": facts["vocabulary_size"]},
        "options": {"embedding_size": 8, "hidden_size": 12},
    }
    trained, fresh = (networks.build(config, seed=seed).to(networks.device()).eval() for seed in (1, 2))
    return examine(trained, fresh, data, facts, OPTIONS | changes, folder)


@pytest.mark.parametrize("name", ["language_data", "words_data"])
def test_tables_and_scores_are_written(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    data = request.getfixturevalue(name)
    scores = look(data, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == TABLES
    assert set(scores) == {
        *(f"gradient_{steps}{when}" for steps in (10, 20) for when in ("", "_start")),
        *(f"nats_context_{tokens}" for tokens in (1, 2, 4, 8, 16)),
    }
    vocabulary = files.read_json(data / "vocabulary.json")
    projection = pd.read_csv(tmp_path / "projection.csv", keep_default_na=False)
    assert projection["token"].tolist() == vocabulary[1:16]
    neighbours = pd.read_csv(tmp_path / "neighbours.csv", keep_default_na=False)
    assert len(neighbours) == 15 * 3
    assert "<unk>" not in set(neighbours["neighbour"])


def test_looking_twice_gives_the_same_bytes(language_data: Path, tmp_path: Path) -> None:
    assert look(language_data, tmp_path / "first") == look(language_data, tmp_path / "second")
    for name in TABLES:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_excerpts_longer_than_the_text_are_refused(language_data: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"insight\.length 1000000 is more than the validation text's"):
        look(language_data, tmp_path, length=1_000_000)


def test_test_text_is_not_read(language_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load = prepared.load_array

    def refuse(folder: Path, name: str) -> Any:
        assert not name.startswith("test")
        return load(folder, name)

    monkeypatch.setattr(prepared, "load_array", refuse)
    look(language_data, tmp_path)


@pytest.mark.parametrize("name", ["language_data", "words_data"])
def test_section_links_to_its_figures(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    look(request.getfixturevalue(name), tmp_path / "in")
    text = "\n".join(draw_insight(tmp_path / "in", tmp_path / "out"))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"dependencies.png", "embedding.png"}
    assert all(f"{{folder}}/{path.name}" in text for path in (tmp_path / "out").iterdir())
    assert "| token" in text
