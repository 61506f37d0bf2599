"""The params of runs side by side: only those that differ."""

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from cvnlp.params import Params
from cvnlp.tracking.run_metadata import flatten

MISSING = str(None)  # a key that a network does not have counts as null


def run_params(settings: Params, run: str) -> dict[str, str]:
    """The params of a run and, below `data.`, of its data set, with all defaults, as text."""
    block = settings.runs[run]
    decisive = block.model_dump(mode="json", exclude={"seeds", "tune"})
    return as_text(decisive | {"data": settings.all_datasets[block.dataset].model_dump(mode="json")})


def as_text(block: Mapping[str, Any]) -> dict[str, str]:
    """Nested params with keys joined by dots, in the form in which MLflow has them."""
    return {key: str(value) for key, value in flatten(block).items()}


def differing(params: Sequence[Mapping[str, str]]) -> dict[str, list[str | None]]:
    """The params that are not the same in all runs: key -> the value of each, None where a run has none.

    A list of tables that all runs have is compared entry by entry: model.blocks.0.filters.
    """
    keys = sorted({key for one in params for key in one})
    rows: dict[str, list[str | None]] = {}
    for key in keys:
        values = [one.get(key, MISSING) for one in params]
        tables = [_tables(value) for value in values]
        entries = [one for one in tables if one is not None]
        if len(entries) == len(params):
            rows |= differing([as_text({key: dict(zip(_numbers(one), one, strict=True))}) for one in entries])
        elif len(set(values)) > 1:
            rows[key] = [None if value == MISSING else value for value in values]
    return rows


def _numbers(entries: Sequence[Any]) -> list[str]:
    return [str(number) for number in range(len(entries))]


def _tables(text: str) -> list[Any] | None:
    """The entries of a list of tables; None for another value."""
    if not text.startswith("[{"):
        return None
    try:
        found: list[Any] = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None
    return found
