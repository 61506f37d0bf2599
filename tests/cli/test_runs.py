"""`cvnlp runs` and `cvnlp models`: states of runs, and options of networks."""

import json
from pathlib import Path
from typing import Any

import pytest

from cvnlp import cli, domains, files, provenance
from cvnlp.cli.models import describe
from cvnlp.params import read_params
from cvnlp.paths import ProjectPaths
from cvnlp.significance.over_seeds import SeedScores
from cvnlp.tracking import training_record
from cvnlp.tracking.training_record import TrainingRecord
from make_project import make_project

RUN = "{domain: vision, dataset: digits, seed: 1, model: {name: mlp, hidden: [4]}, train: {epochs: 1},\n"
REST = "     evaluate: {}, attack: {eps: [0.1]}, insight: {}}\n"
NAMES = ("trained", "stale", "unverified")
PARAMS = "datasets:\n  digits: {domain: vision, source: mnist_sample, seed: 1, validation: 50, test: 50}\nruns:\n"


@pytest.fixture
def project(tmp_path: Path, vision_data: Path) -> ProjectPaths:
    """Three runs with models; the record of one is of other settings, and one has none. A fourth is added later."""
    text = PARAMS + "".join(f"  {name}: {RUN}{REST}" for name in NAMES)
    paths = make_project(tmp_path, text, {"digits": vision_data})
    for name, block in read_params(paths.params).runs.items():
        run = paths.run(name, "digits")
        key = provenance.training_fingerprint(block, run.prepared) if name == "trained" else "other"
        record = TrainingRecord(tags={"training": key}, ended=1_790_000_000.0, seconds=1.0, mlflow_run=None)
        if name != "unverified":
            training_record.write(run, provenance.model_digest(run.model), record)
    files.write_scores(paths.run("trained", "digits").scores, {"accuracy": 0.9}, metrics=["accuracy"])
    files.write_text(paths.params, text + f"  missing: {RUN}{REST}")
    return paths


def test_states_scores_and_dates(project: ProjectPaths, capsys: Any) -> None:
    cli.main(["runs", "--root", str(project.root), "--json"])
    found = {row["run"]: row for row in json.loads(capsys.readouterr().out)}
    assert {name: row["state"] for name, row in found.items()} == {name: name for name in (*NAMES, "missing")}
    assert (found["trained"]["metric"], found["trained"]["score"]) == ("accuracy", 0.9)
    assert found["trained"]["date"].startswith("2026-09-2") and found["missing"]["date"] is None


def test_a_line_per_run(project: ProjectPaths, capsys: Any) -> None:
    cli.main(["runs", "--root", str(project.root)])
    lines = capsys.readouterr().out.splitlines()[2:]
    assert [line.split()[0] for line in lines] == [*NAMES, "missing"]
    assert "accuracy 0.9000" in lines[0]


def test_every_network_is_listed(capsys: Any) -> None:
    cli.main(["models"])
    shown = {line.split()[0] for line in capsys.readouterr().out.splitlines()[2:]}
    assert {name for half in domains.HALVES for name in domains.DOMAINS[half].models.MODELS} <= shown


@pytest.mark.parametrize("name", [name for half in domains.HALVES for name in domains.DOMAINS[half].models.MODELS])
def test_the_options_of_a_network(name: str, capsys: Any) -> None:
    cli.main(["models", name])
    text = capsys.readouterr().out
    cli.main(["models", name, "--json"])
    schema = json.loads(capsys.readouterr().out)[name]
    assert text.startswith(f"{name} (")
    assert [key for key in schema["properties"] if key != "name" and f"\n{key} " not in text] == []


def test_an_unknown_network_is_refused_with_the_choices() -> None:
    with pytest.raises(SystemExit, match="'transformer' is not a network; choose from rules, linear, mlp"):
        cli.main(["models", "transformer"])


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "number", "minimum": 0, "exclusiveMaximum": 1}, "number at least 0 and below 1"),
        ({"anyOf": [{"type": "integer", "exclusiveMinimum": 0}, {"type": "null"}]}, "integer above 0 or null"),
        ({"type": "array", "items": {"type": "integer"}}, "list of integers"),
        ({"enum": ["a", "b"], "type": "string"}, "a | b"),
        ({"$ref": "#/$defs/Block"}, "Block"),
    ],
)
def test_ranges_in_words(schema: dict[str, Any], words: str) -> None:
    assert describe(schema) == words


def test_a_run_with_several_seeds_shows_their_mean(project: ProjectPaths, capsys: Any) -> None:
    scores = SeedScores((1, 2), {"accuracy": (0.9, 0.8)})
    files.write_json(project.run("trained", "digits").seed_scores, scores.to_json())
    cli.main(["runs", "--root", str(project.root)])
    assert "accuracy 0.8500 ± 0.0707 (2)" in capsys.readouterr().out
    cli.main(["runs", "--root", str(project.root), "--json"])
    found = json.loads(capsys.readouterr().out)[0]
    assert (found["score"], found["mean"], found["n"]) == (0.9, pytest.approx(0.85), 2)
