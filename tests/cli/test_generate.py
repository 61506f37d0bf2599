"""`cvnlp generate` on tiny models: its output, how it ends, and what it refuses in one line."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from cvnlp import cli, files, networks
from cvnlp.data import prepared
from cvnlp.language.inference.detokenise import as_text
from cvnlp.language.inference.generation import Sampling, generate
from cvnlp.params.language_networks import LstmOptions
from cvnlp.params.network_config import TextFormat
from cvnlp.params.processing import Decoding, PictureProcessing
from make_networks import image_format, make_config

SRC = Path(__file__).parents[2] / "src"
RUN = """\
  {name}:
    {{domain: language, dataset: {data}, seed: 1, model: {{name: lstm, embedding_size: 8, hidden_size: 8}},
     train: {{epochs: 1}}, evaluate: {{}}, attack: {{shares: [0.1]}}, insight: {{}}}}
"""
PARAMS = """\
datasets:
  digits: {domain: vision, source: mnist_sample, seed: 1, validation: 50, test: 50}
  letters: {domain: language, source: shakespeare, seed: 1, tokens: characters, validation: [a], test: [b]}
  words: {domain: language, source: shakespeare, seed: 1, tokens: words, validation: [a], test: [b]}
runs:
  pictures:
    {domain: vision, dataset: digits, seed: 1, model: {name: cnn}, train: {epochs: 1},
     evaluate: {}, attack: {eps: [0.1]}, insight: {}}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, language_data: Path, words_data: Path) -> Path:
    """A folder with params.yaml, two prepared texts and a model of each; the run `untrained` has none."""
    folder = tmp_path_factory.mktemp("project")
    data = {"letters": language_data, "words": words_data, "untrained": language_data}
    runs = "".join(RUN.format(name=name, data=name if name in ("letters", "words") else "letters") for name in data)
    (folder / "params.yaml").write_text(PARAMS + runs, encoding="utf-8")
    for name in ("letters", "words"):
        shutil.copytree(data[name], folder / "data/prepared" / name)
        config = networks.describe(
            "language", LstmOptions(embedding_size=8, hidden_size=8), prepared.read_facts(data[name])
        )
        config = config.model_copy(update={"processing": prepared.read_processing(data[name])})
        networks.save(folder / "data/models" / name, networks.build(config, seed=1), config)
    return folder


@pytest.fixture
def inside(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(project)
    return project


def start(folder: Path, *arguments: str, python: tuple[str, ...] = (), **environment: str) -> Any:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what is behind & with it ignored
    return subprocess.Popen(
        [sys.executable, *python, "-m", "cvnlp.cli", "generate", *arguments],
        env={**os.environ, "PYTHONPATH": str(SRC), "PYTHONIOENCODING": "utf-8"} | environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def expected(folder: Path, run: str, begun: str, prompt: list[int], tokens: int, seed: int, **options: Any) -> str:
    network, _ = networks.load(folder / "data/models" / run)
    data = folder / "data/prepared" / run
    facts, vocabulary = prepared.read_facts(data, prepared.LanguageFacts), files.read_json(data / "vocabulary.json")
    sampling = Sampling(**{"temperature": 0.8} | options)
    ids = generate(network, facts.start, count=1, tokens=tokens, sampling=sampling, seed=seed, prompt=prompt)[0]
    text = as_text([*prompt, *ids.tolist()], vocabulary, facts)
    assert text.startswith(begun)
    return text.removesuffix("\n") + "\n"


def test_the_command_prints_what_the_library_generates(project: Path) -> None:
    done = start(project, "letters", "--prompt", "HAMLET:\nTo", "--tokens", "30", "--seed", "7", "--top-k", "5")
    shown, warned = done.communicate(timeout=120)
    vocabulary = files.read_json(project / "data/prepared/letters/vocabulary.json")
    prompt = [vocabulary.index(letter) for letter in "HAMLET:\nTo"]
    assert done.returncode == 0 and warned == ""
    assert shown == expected(project, "letters", "HAMLET:\nTo", prompt, 30, 7, top_k=5)


def test_prompt_is_tokenised_like_the_data_and_unknown_words_are_a_warning(inside: Path, capsys: Any) -> None:
    cli.main(
        ["generate", "words", "--prompt", "Hamlet: Zephyr,  to", "--tokens", "20", "--temperature", "1", "--unknown"]
    )
    shown, warned = capsys.readouterr()
    vocabulary = files.read_json(inside / "data/prepared/words/vocabulary.json")
    prompt = [vocabulary.index(word) for word in ("hamlet", ":", "<unk>", ",", "to")]
    begun = "hamlet: <unk>, to"
    assert shown == expected(inside, "words", begun, prompt, 20, 1, temperature=1.0, unknown=True)
    assert warned == "warning: not in the vocabulary of words: 'zephyr'\n"


def test_terminal_that_shows_ascii_only(project: Path) -> None:
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}
    shown, warned = start(project, "letters", "--prompt", "to é", "--tokens", "3", **locale).communicate(timeout=120)
    assert shown.startswith("to \\ufffd")
    assert warned == "warning: not in the vocabulary of letters: '\\xe9'\n"


def test_without_a_prompt_a_new_text_is_generated(inside: Path, capsys: Any) -> None:
    cli.main(["generate", "letters", "--tokens", "12", "--top-p", "0.5"])
    assert capsys.readouterr().out == expected(inside, "letters", "", [], 12, 1, top_p=0.5)


def test_an_interrupt_ends_the_line_and_nothing_else(project: Path) -> None:
    running = start(project, "letters", "--prompt", "well", "--tokens", "100000000", python=("-u",))
    first = running.stdout.read(8)
    running.send_signal(signal.SIGINT)
    rest, warned = running.communicate(timeout=60)
    assert running.returncode == 130
    assert first.startswith("well") and rest.endswith("\n")
    assert warned == ""


def test_a_closed_pipe_is_no_error(project: Path) -> None:
    running = start(project, "letters", "--tokens", "100000000")
    assert running.stdout.read(4)
    running.stdout.close()
    assert running.wait(timeout=60) == 0
    assert running.stderr.read() == ""


def refused(*arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        cli.main(["generate", *arguments])
    return str(ended.value.code)


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        ("sonnets", "'sonnets' is no language run of params.yaml"),
        ("pictures", "'pictures' is no language run of params.yaml"),
        ("untrained", "'untrained' is not trained: `dvc repro train@untrained`"),
    ],
)
def test_a_run_without_a_trained_language_model_is_refused_with_the_choices(
    inside: Path, run: str, reason: str
) -> None:
    assert refused(run) == f"error: {reason}; trained language runs: letters, words"


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [("--temperature", "-1", "temperature: -1"), ("--top-k", "0", "top_k: 0"), ("--top-p", "1.5", "top_p: 1.5")],
)
def test_a_number_out_of_range_is_refused(inside: Path, option: str, value: str, said: str) -> None:
    assert said in refused("letters", option, value)


@pytest.mark.parametrize(
    ("option", "value"), [("--tokens", "0"), ("--tokens", "many"), ("--seed", "-1"), ("--seed", "4294967296")]
)
def test_an_invalid_number_of_tokens_or_seed_is_refused(capsys: Any, option: str, value: str) -> None:
    assert refused("letters", option, value) == "2"
    shown = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert f"Invalid value for '{option}': " in shown


@pytest.mark.parametrize(
    ("removed", "said"),
    [
        ("params.yaml", "elsewhere/params.yaml: no such file"),
        ("data/models/letters/model.safetensors", "elsewhere/data/models/letters/model.safetensors is damaged"),
        ("data/models", "'letters' is not trained: `dvc repro train@letters`; trained language runs: none"),
    ],
)
def test_a_missing_file_is_named(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, removed: str, said: str
) -> None:
    shutil.copytree(project, tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path)
    missing = tmp_path / "elsewhere" / removed
    missing.unlink() if missing.is_file() else shutil.rmtree(missing)
    assert refused("letters", "--root", "elsewhere").startswith(f"error: {said}")


def test_a_model_is_used_without_its_data(project: Path, tmp_path: Path, capsys: Any) -> None:
    cli.main(["generate", "letters", "--root", str(project), "--tokens", "20"])
    expected = capsys.readouterr().out
    shutil.copytree(project / "data/models/letters", tmp_path / "elsewhere")
    cli.main(["generate", str(tmp_path / "elsewhere"), "--tokens", "20"])
    assert capsys.readouterr().out == expected


def test_a_classifier_generates_nothing(tmp_path: Path) -> None:
    config = make_config("vision", "linear", image_format((4, 4, 1), classes=2))
    processing = PictureProcessing(classes=("a", "b"), decoding=Decoding(colour="grey"))
    config = config.model_copy(update={"processing": processing})
    networks.save(tmp_path / "linear", networks.build(config), config)
    assert refused(str(tmp_path / "linear")) == f"error: {tmp_path / 'linear'} is no language model"


def test_a_model_of_an_older_version_is_refused(tmp_path: Path) -> None:
    config = make_config("language", "lstm", TextFormat(vocabulary_size=5), embedding_size=2, hidden_size=2)
    networks.save(tmp_path / "lstm", networks.build(config), config)
    assert "config.json of the model has no vocabulary: train it again" in refused(str(tmp_path / "lstm"))


def test_a_wrong_run_is_refused_before_torch_is_imported(project: Path) -> None:
    done = start(project, "sonnets", python=("-X", "importtime"))
    _, said = done.communicate(timeout=60)
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in said.splitlines()}
    assert done.returncode == 1
    assert "pydantic" in imported and imported.isdisjoint({"torch", "mlflow"})


def test_help_lists_the_options(capsys: Any) -> None:
    cli.main(["generate", "--help"])
    shown = capsys.readouterr().out
    assert [option for option in ("--prompt", "--top-k", "--top-p", "--seed", "--unknown") if option not in shown] == []


def test_the_global_random_state_is_not_used(inside: Path, capsys: Any) -> None:
    texts = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        cli.main(["generate", "letters", "--tokens", "20"])
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
