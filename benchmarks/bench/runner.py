"""Run measures one after the other: a table as it goes, and a JSON that is complete after each of them."""

import dataclasses
import math
import os
import statistics
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from bench.measures import MEASURES, Measure
from bench.results import Pairs, Report, Row
from bench.setting import PROCESSORS, NotMeasuredError, Setting
from cvnlp import provenance

NAME = 32  # width of the first column
NUMBERS = f"{'ours':>10} {'baseline':>10} {'unit':<8} {'ratio':>7} {'bound':<13} {'load':>5} {'took':>6}"
HEAD = f"{'measure':<{NAME}} {NUMBERS}  against"


def run_all(setting: Setting, out: Path, measures: Sequence[Measure], *, minutes: float = math.inf) -> list[str]:
    """Measure, print and save; returns the names of the measures that failed with an error.

    After `minutes` no measure starts.
    """
    deadline = time.perf_counter() + 60 * minutes
    report = Report(machine=machine(), form="full" if setting.full else "quick")
    failed = []
    print(HEAD, flush=True)
    for measure in measures:
        try:
            if time.perf_counter() > deadline:
                raise NotMeasuredError(f"{minutes:g} minutes are over; `--only {measure.name}` measures it alone")
            rows = run(measure, setting)
            report = report.model_copy(update={"rows": report.rows | rows})
            print("\n".join(table_line(name, row) for name, row in rows.items()), flush=True)
        except Exception as error:
            reason = str(error) if isinstance(error, NotMeasuredError) else f"{type(error).__name__}: {error}"
            if not isinstance(error, NotMeasuredError):
                traceback.print_exc()
                failed.append(measure.name)
            report = report.model_copy(update={"not_measured": report.not_measured | {measure.name: reason}})
            print(f"{measure.name:<{NAME}} not measured: {reason}", flush=True)
        report.save(out)
    return failed


def run(measure: Measure, setting: Setting) -> dict[str, Row]:
    load, started = os.getloadavg()[0], time.perf_counter()
    found = measure.rows(dataclasses.replace(setting, rounds=measure.rounds(full=setting.full)))
    seconds = (time.perf_counter() - started) / len(found)
    return {name: _row(measure, pairs, load, seconds) for name, pairs in found.items()}


def _row(measure: Measure, pairs: Pairs, load: float, seconds: float) -> Row:
    return Row(
        unit=measure.unit,
        better=measure.better,
        against=measure.against,
        bound=measure.bound,
        load=load,
        seconds=seconds,
        pairs=pairs,
    )


def table_line(name: str, row: Row) -> str:
    """Medians of both, and the median ratio; `<` if the baseline did not reach the goal."""
    pairs = row.pairs
    ours, baseline = (f"{statistics.median(values):,.4g}" for values in (pairs.ours, pairs.baseline))
    ratio = f"{'' if pairs.baseline_reached else '<'}{pairs.ratio:.3g}"
    bound = ""
    if row.bound is not None:
        bound = f"{'<=' if row.better == 'lower' else '>='} {row.bound:g}{'' if row.holds_bound else ' missed'}"
    details = ", ".join(f"{key} {value:,.4g}" for key, value in pairs.details.items())
    numbers = f"{ours:>10} {baseline:>10} {row.unit:<8} {ratio:>7} {bound:<13} {row.load:>5.2f} {row.seconds:>5.0f}s"
    return f"{name:<{NAME}} {numbers}  {row.against}{f' ({details})' if details else ''}"


def machine() -> dict[str, str | int | bool]:
    return provenance.machine() | {"threads": PROCESSORS}


def chosen(names: Sequence[str], *, full: bool) -> list[Measure]:
    """The measures of these names, or all of the form."""
    if names:
        return [measure for measure in MEASURES if measure.name in names]
    return [measure for measure in MEASURES if measure.quick or full]
