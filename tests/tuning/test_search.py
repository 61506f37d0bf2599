"""A search in this process: its trials, what it never reads, and how trials end."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optuna.trial import TrialState

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.paths import ProjectPaths
from cvnlp.stages import train as training
from cvnlp.tuning import results, setting, trials
from cvnlp.tuning.worker import Worker
from cvnlp.tuning.write_back import write_back

Search = Callable[..., Worker]


def table(found: Worker) -> list[Any]:
    """State, score and values of every trial that counts."""
    return [(one.state.name, one.value, one.user_attrs[trials.VALUES]) for one in results.ended(found.study)]


def change(old: str, new: str) -> None:
    path = Path("params.yaml")
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_the_present_values_are_the_first_trial_and_a_better_one_is_found(project: Path, search: Search) -> None:
    found = search(12)
    chosen = found.setting
    outcome = results.evaluate(chosen, found.study)
    assert table(found)[0][2] == chosen.present == {
        "train.lr": 0.0005,
        "model.dropout": 0.2,
        "model.hidden.0": 8,
        "train.optimiser.schedule": "cosine",
    }  # fmt: skip
    assert outcome.improvement > 0 and outcome.best and outcome.present
    assert outcome.best.value == min(one.value for one in results.ended(found.study) if one.value is not None)
    assert sum(outcome.counts.values()) == 12
    assert outcome.importance and sum(outcome.importance.values()) == pytest.approx(1)
    assert outcome.importance.keys() == chosen.block.tune.keys()


def test_trials_below_the_median_are_pruned(project: Path, search: Search) -> None:
    found = search(14)
    pruned = [one for one in results.ended(found.study) if one.state is TrialState.PRUNED]
    assert pruned and all(1 < len(one.intermediate_values) < 4 for one in pruned)
    assert found.recorder.runs[pruned[0].number]["tags"]["trial.state"] == "PRUNED"  # type: ignore[attr-defined]


def test_every_epoch_and_the_params_of_a_trial_are_recorded(project: Path, search: Search) -> None:
    found = search(2)
    first, second = found.recorder.runs  # type: ignore[attr-defined]
    (_, other) = results.ended(found.study)
    assert first["metrics"] == list(results.ended(found.study)[0].intermediate_values.items())
    assert (first["status"], first["name"], first["params"]["train.lr"]) == (
        "FINISHED",
        "tune first, trial 0",
        "0.0005",
    )
    assert second["params"]["model.hidden.0"] == str(other.user_attrs[trials.VALUES]["model.hidden.0"])
    assert second["parent"] == found.paths.note()


class Unread:
    """An array of the test split: only its size may be read, by which the data set is known to be complete."""

    def __init__(self, size: int) -> None:
        self.nbytes = size

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"an array of the test split was read ({name})")


def test_no_array_of_the_test_split_is_read(project: Path, search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, load = [], np.load

    def guarded(path: Path, **options: Any) -> Any:
        opened.append(path.name)
        found = load(path, **options)
        return Unread(found.nbytes) if path.name.startswith("test") else found

    monkeypatch.setattr(np, "load", guarded)
    assert [state for state, *_ in table(search(2))] == ["COMPLETE", "COMPLETE"]
    assert {"train_images.npy", "validation_images.npy", "test_images.npy"} <= set(opened)
    with pytest.raises(AssertionError, match="test split was read"):
        np.asarray(prepared.load_array(ProjectPaths().prepared("pictures"), "test_images"))


def test_one_process_gives_the_same_trials_each_time_also_if_it_is_interrupted(
    project: Path, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = table(search(9))
    (project / "data/tune/first/journal.log").unlink()
    search(3)
    with monkeypatch.context() as patch:
        patch.setattr(Worker, "_report", interrupt)
        with pytest.raises(SystemExit):
            search(9)
    assert table(search(9)) == whole


def interrupt(*_: Any) -> None:
    raise SystemExit(143)  # as the worker does after SIGTERM


def test_a_trial_whose_process_has_died_is_repeated_with_its_values(project: Path, search: Search) -> None:
    found = search(2)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    dead, values = trials.next_trial(found.setting, found.study, found.paths.folder, 9) or (None, {})
    assert dead
    dead.set_user_attr("pid", gone.pid)
    alive, _ = trials.next_trial(found.setting, found.study, found.paths.folder, 9) or (None, {})
    assert alive and alive.user_attrs["repeats"] == dead.number and alive.user_attrs["values"] == values
    assert found.study.trials[dead.number].state is TrialState.FAIL
    assert found.study.trials[alive.number].state is TrialState.RUNNING
    again, _ = trials.next_trial(found.setting, found.study, found.paths.folder, 9) or (None, {})
    assert again and "repeats" not in again.user_attrs


def test_trials_of_other_hosts_are_left_alone(project: Path, search: Search) -> None:
    found = search(1)
    other, _ = trials.next_trial(found.setting, found.study, found.paths.folder, 9) or (None, {})
    assert other
    other.set_user_attr("host", "another")
    other.set_user_attr("pid", 2**22)
    trials.requeue_abandoned(found.study)
    assert found.study.trials[other.number].state is TrialState.RUNNING


def test_settings_that_fail_do_not_end_the_search(project: Path, search: Search) -> None:
    change("train.lr: {log_uniform: [0.0001, 0.1]}", "train.lr: {choice: [0.0005, 1.0e+30]}")
    change("      model.dropout: {uniform: [0.0, 0.5]}\n", "      train.optimiser.final: {choice: [0.0, 0.5]}\n")
    change("choice: [cosine, linear]", "choice: [cosine, constant]")
    found = search(10)
    reasons = [one.user_attrs.get("reason", "") for one in results.ended(found.study) if one.state is TrialState.FAIL]
    assert len(results.ended(found.study)) == 10
    assert any("no longer a number" in reason for reason in reasons)
    assert any("final belongs to cosine" in reason for reason in reasons)
    assert results.evaluate(found.setting, found.study).counts["failed"] == len(reasons)
    results.write(found.setting, found.study, results.evaluate(found.setting, found.study))
    assert "no longer a number" in found.setting.paths.trials.read_text(encoding="utf-8")


def test_no_trial_begins_after_the_time_is_up(project: Path, search: Search) -> None:
    assert table(search(3, deadline=0.0)) == []


def test_a_database_serves_as_storage(project: Path, search: Search) -> None:
    url = f"sqlite:///{project / 'trials.db'}"
    assert len(table(search(2, storage=url))) == 2
    assert not (project / "data/tune/first/journal.log").exists()
    assert table(search(2, storage=url)) == table(search(2))


def test_a_database_that_cannot_be_used_is_refused_without_its_password(project: Path) -> None:
    with pytest.raises(ValueError, match="--storage: the database cannot be used") as refused:
        trials.open_storage(Path("data/tune/first"), "postgresql://me:geheim@127.0.0.1:1/trials")
    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("lr: 0.0005       # too low", "lr: 0.002", True),
        ("# a comment at the top", "", True),
        ("attack: {eps: [0.1]}", "attack: {eps: [0.2]}", True),
        ("epochs: 4 ", "epochs: 5 ", False),
        ("log_uniform: [0.0001, 0.1]", "log_uniform: [0.0001, 0.2]", False),
        ("seed: 1\n    model", "seed: 2\n    model", False),
    ],
)
def test_only_what_decides_a_trial_makes_another_study(project: Path, old: str, new: str, *, same: bool) -> None:
    before = setting.read("first").study
    change(old, new)
    assert (setting.read("first").study == before) is same


def test_other_data_make_another_study(project: Path) -> None:
    before = setting.read("first").study
    facts = ProjectPaths().prepared("pictures") / "facts.json"
    files.write_json(facts, files.read_json(facts) | {"source": "other"})
    assert setting.read("first").study != before


def test_the_score_of_the_best_trial_is_that_of_the_training_with_its_values(
    project: Path, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = search(6)
    best = results.best(found.study)
    assert best
    write_back(Path("params.yaml"), "first", best.user_attrs[trials.VALUES])
    monkeypatch.setattr(training, "Recorder", lambda: _Ignore())
    training.train("first")
    history = np.genfromtxt(found.setting.paths.history, delimiter=",", names=True)
    assert best.value == pytest.approx(history["validation_nll"].min(), rel=1e-5)


class _Ignore:
    def __getattr__(self, _: str) -> Any:
        return lambda *_, **__: None


def test_results_are_a_row_per_trial_and_what_was_found(project: Path, search: Search) -> None:
    found = search(5)
    outcome = results.evaluate(found.setting, found.study)
    results.write(found.setting, found.study, outcome)
    lines = found.setting.paths.trials.read_text(encoding="utf-8").splitlines()
    keys = "train.lr,model.dropout,model.hidden.0,train.optimiser.schedule"
    assert lines[0] == f"trial,state,score,epochs,{keys},reason"
    assert len(lines) == 6 and lines[1].startswith("0,complete,")
    content = json.loads(found.setting.paths.trials.with_suffix(".json").read_text(encoding="utf-8"))
    assert content["best"]["score"] == outcome.best.value  # type: ignore[union-attr]
    assert content["present"]["values"] == found.setting.present


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  first:", "  other:", "'first' is unknown; valid choices: other"),
        ("epochs: 4 ", "epochs: 0 ", "0 trains nothing"),
        ("\n    tune:\n", "\n    tune: {}\n#", "no ranges to search in; an example"),
    ],
)
def test_a_run_that_cannot_be_tuned_is_refused(project: Path, old: str, new: str, message: str) -> None:
    change(old, new)
    if "{}" in new:
        text = Path("params.yaml").read_text(encoding="utf-8")
        Path("params.yaml").write_text(text.partition("tune: {}")[0] + "tune: {}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        setting.read("first")


def test_unprepared_data_are_refused(project: Path) -> None:
    (ProjectPaths().prepared("pictures") / "facts.json").unlink()
    with pytest.raises(ValueError, match="facts"):
        setting.read("first")
