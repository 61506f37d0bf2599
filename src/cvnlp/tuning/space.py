"""The settings of a trial: as Optuna suggests them, and as values of params.yaml."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cvnlp.params.tune import Range

if TYPE_CHECKING:
    from optuna.trial import Trial

DIGITS = 4  # significant ones of a suggested number: the value that is tried is the one that is written back
SCALARS = (bool, int, float, str, type(None))


def suggest(trial: "Trial", ranges: Mapping[str, Range]) -> dict[str, Any]:
    """A value for every key, as params.yaml has it."""
    return {key: _suggest(trial, key, one) for key, one in ranges.items()}


def _suggest(trial: "Trial", key: str, values: Range) -> Any:
    if values.choice is not None:
        named = {_choice(value): value for value in values.choice}
        return named[trial.suggest_categorical(key, list(named))]
    if values.int is not None:
        return trial.suggest_int(key, *values.int)
    number = trial.suggest_float(key, values.low, values.high, log=values.log_uniform is not None)
    return min(max(float(f"{number:.{DIGITS}g}"), values.low), values.high)


def to_optuna(values: Mapping[str, Any], ranges: Mapping[str, Range]) -> dict[str, Any]:
    """The same values as params of a trial."""
    return {key: _choice(value) if ranges[key].choice is not None else value for key, value in values.items()}


def _choice(value: Any) -> Any:
    """Optuna's choices are single values: a list or table is one as text."""
    return value if isinstance(value, SCALARS) else json.dumps(value)
