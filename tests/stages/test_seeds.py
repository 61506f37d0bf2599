"""The stage that trains and scores a run with other seeds: the same bytes as a run with that seed, and no lost work."""

import shutil
import signal
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cvnlp import files
from cvnlp.params import read_params
from cvnlp.paths import ProjectPaths, RunPaths, SeedPaths
from cvnlp.stages import seeds as stage
from cvnlp.stages import train as training
from cvnlp.stages.evaluate import evaluate
from cvnlp.tracking import training_record

RUN = """
  {name}:
    {{domain: {half}, dataset: {data}, seed: {seed}, {seeds} model: {{{model}}}, evaluate: {{}}, insight: {{}},
     train: {{epochs: {epochs}, batch_size: 8, lr: {lr}{more}}}, attack: {attack}}}
"""
HEAD = (
    "datasets:\n"
    "  pictures: {domain: vision, source: mnist_sample, seed: 1, validation: 50, test: 50}\n"
    "  letters: {domain: language, source: shakespeare, seed: 1, tokens: characters, validation: [a], test: [b]}\n"
    "runs:"
)
HALVES: dict[str, dict[str, Any]] = {
    "vision": {"data": "pictures", "model": "name: mlp, hidden: [8], dropout: 0.2", "attack": "{eps: [0.1]}",
               "more": ", augment: {shift: 1}"},
    "language": {"data": "letters", "model": "name: lstm, hidden_size: 8, dropout: 0.2", "attack": "{shares: [0.1]}",
                 "more": ", window: 8, epoch_tokens: 500"},
}  # fmt: skip


class NoRecorder:
    """Stands for MLflow."""

    def __getattr__(self, _: str) -> Any:
        return lambda *_, **__: None


@pytest.fixture
def root(tmp_path: Path, vision_data: Path, language_data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    paths = ProjectPaths(tmp_path)
    for name, folder in (("pictures", vision_data), ("letters", language_data)):
        shutil.copytree(folder, paths.prepared(name))
    monkeypatch.setattr(training, "Recorder", NoRecorder)
    return tmp_path


def write(root: Path, half: str = "vision", lr: float = 0.01, seeds: str = "seeds: [3, 1],") -> None:
    shared = {"half": half, "lr": lr, "epochs": 2, **HALVES[half]}
    first, third = {"name": "first", "seed": 1, "seeds": seeds}, {"name": "third", "seed": 3, "seeds": ""}
    files.write_text(ProjectPaths(root).params, HEAD + "".join(RUN.format(**one, **shared) for one in (first, third)))


def paths_of(root: Path, run: str = "first") -> RunPaths:
    project = ProjectPaths(root)
    return project.run(run, read_params(project.params).runs[run].dataset)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("half", HALVES)
def test_another_seed_gives_the_bytes_of_a_run_with_that_seed(root: Path, half: str) -> None:
    write(root, half)
    for run in ("first", "third"):
        training.train(run, root)
        evaluate(run, root)
    stage.seeds("first", root)
    own, other, found = paths_of(root), paths_of(root, "third"), SeedPaths(paths_of(root).seeds / "3")
    assert contents(found.model) == contents(other.model)
    assert contents(found.evaluation) == contents(other.evaluation)
    assert found.history.read_bytes() == other.history.read_bytes()
    scores = files.read_json(own.seed_scores)
    name = "accuracy" if half == "vision" else "perplexity"
    values = [files.read_scores(one.scores)[name] for one in (other, own)]  # in the order of `seeds`
    assert [row[name] for row in scores["scores"]] == values
    assert scores[name] == {"mean": statistics.fmean(values), "std": statistics.stdev(values), "n": 2}
    assert not own.resume.exists()
    assert len(list(own.records.iterdir())) == 2  # of both seeds, for MLflow


def test_a_run_with_one_seed_loads_no_torch(root: Path) -> None:
    write(root, seeds="")
    code = f"from cvnlp.stages.seeds import seeds; seeds('first', __import__('pathlib').Path({str(root)!r}))"
    check = "import sys; sys.exit(bool({'torch', 'mlflow', 'sklearn', 'scipy'} & {*sys.modules}))"
    subprocess.run([sys.executable, "-c", f"{code}; {check}"], check=True)
    assert files.read_json(paths_of(root).seed_scores) == {"seeds": [1]}
    assert list(paths_of(root).seeds.iterdir()) == []


STOPPED_AFTER_THREE_EPOCHS = """
import os
from cvnlp.seeds import scoring
from cvnlp.stages import command_line, seeds as stage
from cvnlp.training.callbacks import EpochLogger

epochs = []

def log(metrics, epoch):
    epochs.append(epoch)
    if len(epochs) == 4:  # its checkpoint is not written yet: one epoch of the second seed is complete
        os.kill(os.getpid(), NUMBER)

scoring.EpochLogger = lambda write: EpochLogger(log)
command_line.run(stage.seeds, item="run")
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_finished_seeds_and_epochs_are_not_repeated_after_an_interruption(
    root: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(root, seeds="seeds: [1, 2, 3],")
    training.train("first", root)
    evaluate("first", root)
    code = STOPPED_AFTER_THREE_EPOCHS.replace("NUMBER", str(int(number)))
    command = [sys.executable, "-c", code, "--run", "first", "--root", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == (-number if number == signal.SIGKILL else 128 + number)
    if number == signal.SIGTERM:
        line = "seeds first: interrupted (SIGTERM): the next `dvc repro` resumes with seed 3"
        assert done.stderr.strip().endswith(line)
    assert len(list(paths_of(root).resume.iterdir())) == 2 and not paths_of(root).seeds.exists()
    epochs = count_epochs(monkeypatch)
    stage.seeds("first", root)
    assert epochs == [1]  # the second one of seed 3
    interrupted = contents(paths_of(root).seeds), paths_of(root).seed_scores.read_bytes()
    stage.seeds("first", root)  # everything anew
    assert epochs == [1, 0, 1, 0, 1]
    assert (contents(paths_of(root).seeds), paths_of(root).seed_scores.read_bytes()) == interrupted


def count_epochs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    from cvnlp.seeds import scoring
    from cvnlp.training.callbacks import EpochLogger

    epochs: list[int] = []
    monkeypatch.setattr(scoring, "EpochLogger", lambda _: EpochLogger(lambda metrics, epoch: epochs.append(epoch)))
    return epochs


def test_other_options_of_the_evaluation_do_not_train_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cvnlp.seeds import scoring

    write(root)
    block = read_params(ProjectPaths(root).params).runs["first"].model_copy(update={"seed": 3})
    epochs, folder = count_epochs(monkeypatch), root / "state"
    scoring.score("first", block, paths_of(root).prepared, folder)
    other = block.model_copy(update={"evaluate": block.evaluate.model_copy(update={"bins": 3})})
    scoring.score("first", other, paths_of(root).prepared, folder)
    assert epochs == [0, 1]
    assert len((scoring.result_paths(folder).evaluation / "calibration.csv").read_text().splitlines()) <= 4


def test_a_training_that_diverges_names_the_seed(root: Path) -> None:
    write(root, lr=1e30)
    with pytest.raises(ValueError, match=r"^seed 3: runs\.first\.train: the loss is no longer a number"):
        stage.seeds("first", root)


def test_a_record_of_a_finished_training_is_kept(root: Path) -> None:
    write(root)
    training.train("first", root)
    evaluate("first", root)
    stage.seeds("first", root)
    digests = {path.stem for path in paths_of(root).records.iterdir()}
    records = [training_record.read(paths_of(root), digest) for digest in digests]
    assert all(record and record.tags["training"] and record.seconds > 0 for record in records)
