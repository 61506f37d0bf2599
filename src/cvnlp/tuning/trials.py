"""The trials of a study: storage, the next trial, and those that a process has left behind."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
import psutil
from filelock import FileLock
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from cvnlp.tuning import space
from cvnlp.tuning.setting import Setting

optuna.logging.set_verbosity(logging.WARNING)

JOURNAL, LOCK = "journal.log", "lock"
RANDOM = 6  # trials before the sampler learns from their results
UNPRUNED = 4  # complete trials before others are compared with them
WARMUP_SHARE = 5  # one part of so many of the epochs is never pruned
# attributes of a trial: the values with which it trained, that it has ended by itself, why, and which trial it repeats
VALUES, ENDED, REASON, REPEATS = "values", "ended", "reason", "repeats"
METRIC = "metric"  # attribute of the study: the name of its score
OWNER = ("host", "pid", "started")


def open_storage(folder: Path, url: str | None) -> BaseStorage:
    """Optuna's journal in `folder`, or a database; ValueError for one that cannot be used, without its password."""
    if url is None:
        folder.mkdir(parents=True, exist_ok=True)
        return JournalStorage(JournalFileBackend(str(folder / JOURNAL)))
    try:
        return RDBStorage(url)
    except Exception as error:
        reason = " ".join(str(error).split())[:200].replace(url, "the storage")
        raise ValueError(f"--storage: the database cannot be used ({type(error).__name__}: {reason})") from None


def open_study(setting: Setting, storage: BaseStorage, metric: str, *, lower_is_better: bool) -> Study:
    """The study of these settings, created if it is new; `metric`: the name of its score."""
    warmup = max(1, setting.block.train.epochs // WARMUP_SHARE)
    study = optuna.create_study(
        study_name=setting.study,
        storage=storage,
        direction=StudyDirection.MINIMIZE if lower_is_better else StudyDirection.MAXIMIZE,
        pruner=MedianPruner(n_startup_trials=UNPRUNED, n_warmup_steps=warmup),
        load_if_exists=True,
    )
    study.set_user_attr(METRIC, metric)
    return study


def next_trial(setting: Setting, study: Study, folder: Path, limit: int) -> tuple[Trial, dict[str, Any]] | None:
    """A trial of this process with its values; None if `limit` trials have ended or are running.

    The present values come first, then those of trials whose process has died. Random numbers depend on the seed of the
    run and the number of trials before: with one process, an interrupted search has the same trials as another one.
    """
    with FileLock(folder / LOCK):
        requeue_abandoned(study)
        before = [trial for trial in study.get_trials(deepcopy=False) if counts(trial)]
        if len(before) >= limit:
            return None
        _enqueue_present(setting, study)
        study.sampler = TPESampler(seed=(setting.block.seed * 100_003 + len(before)) % 2**32, n_startup_trials=RANDOM)
        trial = study.ask()
        for name, value in zip(OWNER, owner(os.getpid()), strict=True):
            trial.set_user_attr(name, value)
        suggested = space.suggest(trial, setting.block.tune)
        values = trial.user_attrs.get(VALUES, suggested)
        trial.set_user_attr(VALUES, values)
    return trial, values


def owner(pid: int) -> tuple[str, int, float]:
    """What identifies a process of this or another machine: host, number and start."""
    return os.uname().nodename, pid, psutil.Process(pid).create_time()


def counts(trial: FrozenTrial) -> bool:
    """Whether a trial is running or has ended by itself."""
    return trial.state is TrialState.RUNNING or (trial.state.is_finished() and ENDED in trial.user_attrs)


def end(study: Study, trial: Trial, state: TrialState, *, value: float | None = None, reason: str = "") -> None:
    """End a trial: COMPLETE with its value, PRUNED or FAIL with a reason."""
    trial.set_user_attr(ENDED, True)
    if reason:
        trial.set_user_attr(REASON, reason)
    study.tell(trial, value, state=state)


def requeue_abandoned(study: Study) -> None:
    """Mark trials as failed whose process has died, and enqueue their values again, as those of interrupted ones."""
    trials = study.get_trials(deepcopy=False)
    for trial in trials:
        if trial.state is TrialState.RUNNING and _has_died(trial.user_attrs):
            study.tell(trial.number, state=TrialState.FAIL)
    repeated = {trial.user_attrs.get(REPEATS) for trial in trials}
    for trial in study.get_trials(deepcopy=False, states=[TrialState.FAIL]):
        if ENDED not in trial.user_attrs and trial.number not in repeated:
            values = {VALUES: trial.user_attrs[VALUES]} if VALUES in trial.user_attrs else {}
            study.enqueue_trial(trial.params, user_attrs={REPEATS: trial.number, **values})


def _has_died(attributes: Mapping[str, Any]) -> bool:
    """Whether the process of a trial of this host is gone; a trial without a process was left before it had one."""
    host, pid, started = (attributes.get(name) for name in OWNER)
    if started is None:
        return host in (None, os.uname().nodename)
    if host != os.uname().nodename:
        return False
    try:
        return abs(psutil.Process(pid).create_time() - started) > 1
    except psutil.NoSuchProcess:
        return True


def _enqueue_present(setting: Setting, study: Study) -> None:
    """Once: the present values, with which all others are compared."""
    present = setting.present
    trials = study.get_trials(deepcopy=False)
    if not any(trial.user_attrs.get(VALUES) == present for trial in trials):
        study.enqueue_trial(space.to_optuna(present, setting.block.tune), user_attrs={VALUES: present})
