"""`cvnlp predict`, `cvnlp attack` and `cvnlp perplexity`: their output, what they refuse, and their exit codes."""

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cvnlp
from cvnlp import cli
from cvnlp.data import prepared
from cvnlp.vision.serving import ImageClassifier
from make_models import make_model, save_pictures

PICTURES = 24  # more than a table has


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, vision_data: Path) -> Path:
    return make_model(tmp_path_factory.mktemp("model") / "mlp", vision_data)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory, vision_data: Path) -> list[Path]:
    images = np.array(prepared.load_array(vision_data, "test_images"))[:PICTURES]
    return save_pictures(tmp_path_factory.mktemp("made") / "pictures", images)


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory, language_data: Path) -> Path:
    return make_model(tmp_path_factory.mktemp("model") / "lstm", language_data)


def classify(model: Path, pictures: list[Path]) -> Any:
    classifier = cvnlp.load(model)
    assert isinstance(classifier, ImageClassifier)
    return classifier.predict(pictures)


def ended(*arguments: Any) -> int | str:
    with pytest.raises(SystemExit) as end:
        cli.main([*map(str, arguments)])
    return end.value.code


def test_a_table_for_a_few_pictures(model: Path, pictures: list[Path], capsys: Any) -> None:
    cli.main(["predict", str(model), str(pictures[0]), "-k", "2"])
    lines = capsys.readouterr().out.splitlines()
    ((first, probability), (second, _)) = classify(model, pictures[:1])[0].top(2)
    assert lines[0].split() == ["picture", "class", "probability"]
    assert f" {first} " in lines[1] and f"{probability:.1%}" in lines[1] and "█" in lines[1]
    assert f" {second} " in lines[2]


def test_csv_for_a_folder(model: Path, pictures: list[Path], capsys: Any) -> None:
    cli.main(["predict", str(model), str(pictures[0].parent), "--top", "2"])
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    expected = classify(model, pictures)
    assert [row["file"] for row in rows] == [str(path) for path in pictures]
    assert [row["class"] for row in rows] == [prediction.label for prediction in expected]
    assert [float(row["probability_2"]) for row in rows] == pytest.approx(
        [prediction.top(2)[1][1] for prediction in expected], abs=2e-6
    )


def test_lines_of_json_go_on_after_a_file_that_cannot_be_read(
    model: Path, pictures: list[Path], tmp_path: Path, capsys: Any
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(pictures[0].read_bytes()[:60])
    assert ended("predict", model, broken, tmp_path / "missing.png", pictures[1], "--json", "--top", "10") == 1
    shown = capsys.readouterr()
    rows = [json.loads(line) for line in shown.out.splitlines()]
    (expected,) = classify(model, pictures[1:2])
    assert [row.get("error", "")[:14] for row in rows] == ["damaged (image", "does not exist", ""]
    assert rows[2]["probabilities"] == pytest.approx(expected.probabilities, abs=1e-6)
    assert (rows[2]["class"], rows[2]["class_id"]) == (expected.label, expected.index)


def test_an_unreadable_file_is_one_line_of_errors(model: Path, pictures: list[Path], capsys: Any) -> None:
    assert ended("predict", model, pictures[0].parent / "none.png", pictures[0]) == 1
    shown = capsys.readouterr()
    assert shown.err == f"error: {pictures[0].parent / 'none.png'}: does not exist\n"
    assert str(pictures[0])[:20] in shown.out


def test_a_pattern_that_the_shell_has_not_expanded(model: Path, pictures: list[Path], capsys: Any) -> None:
    cli.main(["predict", str(model), str(pictures[0].parent / "00*.png"), "--format", "csv"])
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["file"] for row in rows] == [str(path) for path in pictures[:10]]


def test_a_picture_on_standard_input(
    model: Path, pictures: list[Path], capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(pictures[2].read_bytes())))
    cli.main(["predict", str(model), "-", "--json"])
    row = json.loads(capsys.readouterr().out)
    assert (row["file"], row["class"]) == ("-", classify(model, pictures[2:3])[0].label)


@pytest.mark.parametrize(("place", "reason"), [("none*.png", "no file matches"), ("empty", "has no files")])
def test_places_without_files_are_refused(model: Path, tmp_path: Path, place: str, reason: str) -> None:
    (tmp_path / "empty").mkdir()
    assert reason in str(ended("predict", model, tmp_path / place))


def test_a_trace_is_shown_on_request_only(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CVNLP_DEBUG", "")  # restored after the test
    with pytest.raises(ValueError, match="no file matches"):
        cli.main(["--debug", "predict", str(model), str(tmp_path / "*.png")])


def test_explanations_are_saved(model: Path, pictures: list[Path], tmp_path: Path) -> None:
    cli.main(["predict", str(model), str(pictures[0]), str(pictures[1]), "--explain", str(tmp_path / "why")])
    assert len(list((tmp_path / "why").glob("*.png"))) == 2


def test_an_attack_changes_the_class(model: Path, pictures: list[Path], tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "flip.png"
    cli.main(["attack", str(model), str(pictures[0]), "--out", str(out), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["before"]["class"] != found["after"]["class"]
    assert 0 < found["eps"] <= 0.5 and found["picture"] == str(out) and out.is_file()


def test_an_attack_that_fails_is_an_error(model: Path, pictures: list[Path]) -> None:
    message = ended("attack", model, pictures[0], "--max-eps", "0.001")
    assert message == f"error: no perturbation of at most 0.001 was found that changes the class of {pictures[0]}"


def test_perplexity_of_files_and_of_all(letters: Path, tmp_path: Path, capsys: Any) -> None:
    texts = {"a.txt": "to be or not to be\n", "b.txt": "well, my lord\r\n€\n"}
    for name, text in texts.items():
        (tmp_path / name).write_bytes(text.encode())
    paths = [str(tmp_path / name) for name in texts]
    cli.main(["perplexity", str(letters), *paths, "--json"])
    found = json.loads(capsys.readouterr().out)
    scores = [cvnlp.load(letters).perplexity(text) for text in texts.values()]
    assert [row["perplexity"] for row in found["files"]] == pytest.approx([score.perplexity for score in scores])
    nats = sum(score.nats_per_token * score.tokens for score in scores) / sum(score.tokens for score in scores)
    assert found["all"]["nats_per_token"] == pytest.approx(nats)
    assert found["files"][1]["unknown_share"] == pytest.approx(1 / 16)
    cli.main(["perplexity", str(letters), *paths])
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()][2:] == [*paths, "all"]


def test_perplexity_of_every_token(letters: Path, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "a.txt").write_text("to, €", encoding="utf-8")
    cli.main(["perplexity", str(letters), str(tmp_path / "a.txt"), "--per-token"])
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    _, nats = cvnlp.load(letters).token_nats("to, €")
    assert [row["token"] for row in rows] == ["t", "o", ",", " ", "<unk>"]
    assert [float(row["nats"]) for row in rows] == pytest.approx(nats.tolist(), rel=1e-5)


def test_texts_that_cannot_be_read_are_named_and_the_others_scored(letters: Path, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "a.txt").write_text("to be", encoding="utf-8")
    (tmp_path / "empty.txt").touch()
    missing = tmp_path / "missing.txt"
    assert ended("perplexity", letters, missing, tmp_path / "empty.txt", tmp_path / "a.txt") == 1
    shown = capsys.readouterr()
    assert shown.err.splitlines() == [
        f"error: {missing}: No such file or directory",
        f"error: {tmp_path / 'empty.txt'}: is empty",
    ]
    assert str(tmp_path / "a.txt") in shown.out
