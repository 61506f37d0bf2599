"""Ranges of the block `tune` against the run that they belong to, and the run with values of them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cvnlp.params.explanation import explain
from cvnlp.params.runs import LanguageRun, VisionRun
from cvnlp.params.tune import BLOCKS, Range, look_up, substitute

AnyRun = VisionRun | LanguageRun


def mistakes(path: Path, name: str, run: AnyRun, raw: Mapping[str, Any]) -> Iterator[str]:
    """A line for each key that is none of the run's, for each value that its option refuses, and for each range that
    lacks the present value. `raw`: the block of the run in the file.
    """
    for key, values in run.tune.items():
        place = f"{path}: runs.{name}.tune.{key}"
        yield from (f"{place}: {text}" for text in _wrong(path, key, values, run, raw))


def _wrong(path: Path, key: str, values: Range, run: AnyRun, raw: Mapping[str, Any]) -> list[str]:
    if key.partition(".")[0] not in BLOCKS or "." not in key:
        return [f"a key begins with {' or '.join(f'{block}.' for block in BLOCKS)}"]
    try:
        found = next(filter(None, (_refused(path, key, value, run, raw) for value in values.extremes)), [])
    except KeyError as error:
        return [f"the list has no entry {error}; its entries are counted from 0"]
    if found:
        return found
    present = present_values(run, {key: values})[key]
    if not values.contains(present):
        return [f"the range must contain the present value, {present!r} (given: {values.kind} {values.extremes})"]
    return []


def _refused(path: Path, key: str, value: Any, run: AnyRun, raw: Mapping[str, Any]) -> list[str]:
    changed = substitute(raw, {key: value})
    try:
        type(run).model_validate(changed)
    except ValidationError as error:
        lines = [line.removeprefix(f"{path}: ") for line in explain(path, error, changed, type(run))]
        return [f"{value!r} is refused: {line}" if "unknown key" not in line else line for line in lines]
    return []


def present_values(run: AnyRun, ranges: Mapping[str, Range]) -> dict[str, Any]:
    """The value of each dotted key, defaults included; a whole number in a range of integers is one."""
    block = run.model_dump(mode="json")
    return {key: _whole(look_up(block, key), one) for key, one in ranges.items()}


def _whole(value: Any, values: Range) -> Any:
    return int(value) if values.int is not None and isinstance(value, float) and value.is_integer() else value


def with_values(run: AnyRun, raw: Mapping[str, Any], values: Mapping[str, Any]) -> AnyRun:
    """The run with new values at dotted keys; ValueError if they cannot be combined. `raw`: its block in the file."""
    try:
        return type(run).model_validate(substitute(raw, values))
    except ValidationError as error:
        lines = explain(Path(), error, substitute(raw, values), type(run))
        raise ValueError("; ".join(line.removeprefix(f"{Path()}: ") for line in lines)) from None
