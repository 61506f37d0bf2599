"""What a search has found: the best values next to the present ones, importance, and the table of all trials."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from cvnlp import files
from cvnlp.tuning.setting import Setting
from cvnlp.tuning.trials import ENDED, METRIC, REASON, VALUES

ENOUGH = 4  # complete trials for an estimate of importance
STATES = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}


@dataclass(frozen=True)
class Found:
    """`metric`: the score, of which low values are better if `lower_is_better`; `counts`: state -> trials.

    `present`: the trial with the values of params.yaml, if it is complete. `importance`: share of the variance of the
    scores by each setting (fANOVA, Hutter et al. 2014), None with too few complete trials.
    """

    metric: str
    lower_is_better: bool
    counts: Mapping[str, int]
    present: FrozenTrial | None
    best: FrozenTrial | None
    importance: Mapping[str, float] | None

    @property
    def improvement(self) -> float:
        """Of the best score over that of the present values, above 0 if it is better; 0 if unknown."""
        if self.best is None or self.present is None:
            return 0.0
        difference = _score(self.best) - _score(self.present)
        return -difference if self.lower_is_better else difference


def ended(study: Study | None) -> list[FrozenTrial]:
    """The trials that have ended by themselves, in their order."""
    trials = study.get_trials(deepcopy=False) if study else []
    return [trial for trial in trials if trial.state.is_finished() and ENDED in trial.user_attrs]


def best(study: Study) -> FrozenTrial | None:
    return best_of(ended(study), lower_is_better=study.direction is StudyDirection.MINIMIZE)


def best_of(trials: Sequence[FrozenTrial], *, lower_is_better: bool) -> FrozenTrial | None:
    """The first of the complete trials with the best score."""
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    if not complete:
        return None
    return (min if lower_is_better else max)(complete, key=_score)


def evaluate(setting: Setting, study: Study) -> Found:
    trials = ended(study)
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    present = [trial for trial in complete if trial.user_attrs[VALUES] == setting.present]
    return Found(
        metric=str(study.user_attrs[METRIC]),
        lower_is_better=study.direction is StudyDirection.MINIMIZE,
        counts={name: sum(trial.state is state for trial in trials) for state, name in STATES.items()},
        present=present[0] if present else None,
        best=best(study),
        importance=_importance(study, complete, setting.block.seed),
    )


def _score(trial: FrozenTrial) -> float:
    if trial.value is None:
        raise ValueError(f"trial {trial.number} has no score")
    return trial.value


def _importance(study: Study, complete: Sequence[FrozenTrial], seed: int) -> dict[str, float] | None:
    if len(complete) < ENOUGH or len({trial.value for trial in complete}) == 1:
        return None
    try:
        return dict(get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=seed)))
    except (ValueError, RuntimeError, optuna.exceptions.OptunaError):
        return None


def write(setting: Setting, study: Study, found: Found) -> None:
    """reports/tuning/<run>.csv and .json: without dates and durations."""
    keys = list(setting.block.tune)
    header = ["trial", "state", "score", "epochs", *keys, "reason"]
    rows = [_row(trial, keys) for trial in ended(study)]
    files.write_rows(setting.paths.trials, header, rows)
    content = {
        "metric": found.metric,
        "lower_is_better": found.lower_is_better,
        "epochs": setting.block.train.epochs,
        "ranges": {key: one.model_dump(exclude_none=True) for key, one in setting.block.tune.items()},
        "importance": found.importance,
        "present": _summary(found.present),
        "best": _summary(found.best),
    }
    files.write_json(setting.paths.trials.with_suffix(".json"), content)


def _row(trial: FrozenTrial, keys: Sequence[str]) -> list[Any]:
    values = trial.user_attrs[VALUES]
    score = "" if trial.state is not TrialState.COMPLETE else f"{trial.value:.6g}"
    settings = ["null" if values[key] is None else values[key] for key in keys]
    reason = trial.user_attrs.get(REASON, "")
    return [trial.number, STATES[trial.state], score, len(trial.intermediate_values), *settings, reason]


def _summary(trial: FrozenTrial | None) -> dict[str, Any] | None:
    if trial is None:
        return None
    return {"trial": trial.number, "score": trial.value, "values": trial.user_attrs[VALUES]}
