"""`cvnlp compare` on two evaluated runs: its tables, its JSON, and errors of one line."""

import json
from pathlib import Path

import pytest

from cvnlp import cli, files
from cvnlp.paths import ProjectPaths
from cvnlp.significance.over_seeds import SeedScores
from cvnlp.stages.evaluate import evaluate
from make_project import make_project

RUN = """\
  {name}:
    {{domain: vision, dataset: digits, seed: 1, model: {{name: linear}}, train: {{epochs: 1, lr: {lr}}}, evaluate: {{}},
     attack: {{eps: [0.1]}}, insight: {{}}}}
"""
PARAMS = """\
datasets:
  digits: {domain: vision, source: mnist_sample, seed: 1, validation: 50, test: 50}
runs:
"""
RATES = {"one": 0.01, "two": 0.02, "three": 0.01}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, vision_data: Path) -> Path:
    root = tmp_path_factory.mktemp("project")
    runs = "".join(RUN.format(name=name, lr=rate) for name, rate in RATES.items())
    make_project(root, PARAMS + runs, {"digits": vision_data})
    for run in RATES:
        evaluate(run, root=root)
    return root


def compare(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int | str | None, str]:
    capsys.readouterr()
    code: int | str | None = 0
    try:
        cli.main(["compare", *arguments])
    except SystemExit as ended:
        code = ended.code
    return code, capsys.readouterr().out


def test_params_scores_and_the_test_are_shown(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, printed = compare(capsys, "one", "two", "--root", str(project))
    lines = [line.split() for line in printed.splitlines()]
    assert code == 0
    assert ["train.lr", "0.01", "0.02"] in lines
    assert [words[0] for words in lines if words][:3] == ["param", "train.lr", "score"]
    assert ["accuracy", "against", "one", "difference", "95", "%", "interval", "p", "result"] in lines
    (verdict,) = [words for words in lines if words[:2] == ["two", "+0.0000"]]
    assert verdict[-4:] == ["1", "no", "significant", "difference"]
    assert "two against one: McNemar's exact test; of 50 images 0 are classified correctly only by the first" in printed


def test_equal_params_are_stated(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, printed = compare(capsys, "one", "three", "--root", str(project))
    assert "no difference" in printed


def test_json_has_the_same(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, printed = compare(capsys, "one", "two", "three", "--json", "--root", str(project))
    found = json.loads(printed)
    assert code == 0
    assert [run["name"] for run in found["runs"]] == ["one", "two", "three"]
    assert found["params"] == {"train.lr": ["0.01", "0.02", "0.01"]}
    assert [(one["run"], one["against"], one["p_value"]) for one in found["verdicts"]] == [
        ("two", "one", 1.0),
        ("three", "one", 1.0),
    ]
    assert found["verdicts"][0]["outcome"] == "no significant difference"
    assert found["notes"] == ["p-values are adjusted for 2 tests (Holm); intervals are not"]
    low, high = found["runs"][0]["interval"]
    assert low <= found["runs"][0]["scores"]["accuracy"] < high


def test_one_run_alone_is_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _ = compare(capsys, "one", "--root", str(project))
    assert code == "error: one run alone (one) cannot be compared; give two or more"


def test_an_unknown_run_is_one_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _ = compare(capsys, "one", "nothing", "--root", str(project))
    assert str(code).endswith("runs: 'nothing' is unknown; valid choices: one, three, two")


def test_runs_with_several_seeds_show_mean_deviation_and_the_test_over_seeds(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for run, values in (("one", (0.5, 0.6)), ("two", (0.8, 0.9))):
        scores = SeedScores((1, 2), {"accuracy": values})
        files.write_json(ProjectPaths(project).run(run, "digits").seed_scores, scores.to_json())
    code, printed = compare(capsys, "one", "two", "three", "--root", str(project))
    lines = [line.split() for line in printed.splitlines()]
    assert code == 0
    row = ["mean", "over", "seeds", "0.5500", "±", "0.0707", "(2)", "0.8500", "±", "0.0707", "(2)", "-"]
    assert row in lines
    (verdict,) = [words for words in lines if words[:3] == ["two,", "over", "seeds"]]
    assert verdict[3] == "+0.3000" and not [words for words in lines if words[:3] == ["three,", "over", "seeds"]]
    assert "two against one: Welch's t-test over 2 and 2 seeds" in printed
    _, printed = compare(capsys, "one", "two", "--json", "--root", str(project))
    found = json.loads(printed)
    assert found["runs"][0]["over_seeds"]["accuracy"]["n"] == 2
    assert found["verdicts"][0]["over_seeds"]["p_value"] == pytest.approx(0.0513, abs=1e-4)
    assert "seeds" not in found["params"]
