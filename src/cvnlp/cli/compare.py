"""`cvnlp compare`: which params of runs differ, and whether their scores differ significantly."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvnlp.cli.options import Json, Root

if TYPE_CHECKING:
    from cvnlp.comparison import Verdict
    from cvnlp.comparison.sources import ComparedRun
    from cvnlp.significance.difference import Difference

WIDTH = 160  # characters of a line that is printed to no terminal
LONGEST = 40  # characters of a param


def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN|REV:RUN|mlflow:ID...", help="Two runs or more.")],
    *,
    as_json: Json = False,
    root: Root = Path(),
) -> None:
    """Compare runs: params that differ, scores, and whether they differ significantly.

    RUN is a run of params.yaml; REV:RUN the same as git has it at a revision (HEAD~1:cnn); mlflow:ID a run of MLflow.
    All others are tested against the first one, on the same test examples: image classifiers by McNemar's exact test,
    language models by a bootstrap over blocks of the text. Runs with several seeds are also compared over seeds, by
    Welch's t-test. With more than two runs p-values are adjusted (Holm).
    """
    from cvnlp.comparison import adjusted, better
    from cvnlp.comparison.run_params import differing
    from cvnlp.comparison.sources import find_run

    if len(runs) < 2:
        raise ValueError(f"one run alone ({runs[0]}) cannot be compared; give two or more")
    found = [find_run(name, root) for name in runs]
    verdicts = adjusted([better(other.evidence, found[0].evidence) for other in found[1:]])
    notes = [note for run in found for note in run.notes] + [note for one in verdicts for note in one.notes]
    if len(verdicts) > 1:
        notes.append(f"p-values are adjusted for {len(verdicts)} tests (Holm); intervals are not")
    params = differing([run.params for run in found])
    if as_json:
        content = {"runs": [_as_json(run) for run in found], "params": params, "notes": notes}
        print(
            json.dumps(content | {"verdicts": [_verdict_json(one) for one in verdicts]}, indent=1, ensure_ascii=False)
        )
    else:
        _print(found, params, verdicts, notes)


def _estimate(run: "ComparedRun") -> Any:
    """The main score with its interval, from single examples where they exist."""
    from cvnlp.domains import DOMAINS

    evidence = run.evidence
    return (
        evidence.examples.estimate()
        if evidence.examples
        else DOMAINS[evidence.domain].comparison.estimate(evidence.scores)
    )


def _score_rows(runs: "list[ComparedRun]") -> dict[str, list[float | None]]:
    """The metrics that DVC shows, then sizes and costs of the training; None where a run has no such score."""
    from cvnlp.domains import DOMAINS

    names = DOMAINS[runs[0].evidence.domain].metrics.METRICS
    rows = {name: [run.evidence.scores.get(name) for run in runs] for name in names}
    costs = {name: None for run in runs for name in run.training}
    rows |= {name: [run.training.get(name) for run in runs] for name in costs}
    return {name: row for name, row in rows.items() if any(value is not None for value in row)}


def _as_json(run: "ComparedRun") -> dict[str, Any]:
    estimate = _estimate(run)
    rows = {name: value for name, (value,) in _score_rows([run]).items()}
    found = {"name": run.evidence.name, "scores": rows, "interval": [estimate.low, estimate.high]}
    return found | ({"over_seeds": run.evidence.seeds.to_json()} if run.evidence.seeds else {})


def _verdict_json(verdict: "Verdict") -> dict[str, Any]:
    names = {"run": verdict.first, "against": verdict.second, "score": verdict.score}
    seeds = {"over_seeds": _difference_json(verdict, verdict.over_seeds)} if verdict.over_seeds else {}
    return names | _difference_json(verdict, verdict.difference) | seeds


def _difference_json(verdict: "Verdict", found: "Difference") -> dict[str, Any]:
    return {
        "difference": found.value,
        "interval": [found.low, found.high],
        "p_value": found.p_value,
        "method": found.method,
        "outcome": verdict.outcome_of(found),
    }


def _print(
    runs: "list[ComparedRun]", params: dict[str, list[str | None]], verdicts: "list[Verdict]", notes: list[str]
) -> None:
    from rich.console import Console

    console, names = (
        Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH),
        [run.evidence.name for run in runs],
    )
    rows = [[key, *(_shortened(value) for value in row)] for key, row in params.items()]
    console.print(_table("param", names, rows or [["no difference"]]))
    console.print(_table("score", names, _score_cells(runs), justify="right"))
    console.print(_verdict_table(verdicts))
    tests = [(one, test) for one in verdicts for test in (one.difference, one.over_seeds) if test]
    methods = [f"{one.first} against {one.second}: {test.method}" for one, test in tests]
    for line in dict.fromkeys([*methods, *notes]):
        console.print(line, markup=False)


def _shortened(value: str | None) -> str:
    if value is None:
        return "-"
    return value if len(value) <= LONGEST else f"{value[: LONGEST - 3]}..."


def _table(first: str, names: list[str], rows: list[list[str]], *, justify: Any = "left") -> Any:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column(first, no_wrap=True)
    for name in names:
        table.add_column(escape(name), justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    table.add_row()
    return table


def _score_cells(runs: "list[ComparedRun]") -> list[list[str]]:
    from cvnlp.domains import DOMAINS

    main = DOMAINS[runs[0].evidence.domain].comparison.SCORE
    costs = {name for run in runs for name in run.training}
    rows = [
        [name, *(_number(one, 0 if name in costs else 4) for one in values)]
        for name, values in _score_rows(runs).items()
    ]
    bounds = [_interval(one.low, one.high) for one in map(_estimate, runs)]
    place = [name for name, *_ in rows].index(main)
    below = [["95 % interval", *bounds]]
    if any(run.evidence.seeds for run in runs):
        below.append(["mean over seeds", *(_over_seeds(run, main) for run in runs)])
    return [*rows[: place + 1], *below, *rows[place + 1 :]]


def _over_seeds(run: "ComparedRun", score: str) -> str:
    """Mean ± standard deviation (number of seeds)."""
    from cvnlp.report.seed_scores import spreads

    found = spreads(run.evidence.seeds) if run.evidence.seeds else {}
    return f"{found[score]:.4f}" if score in found else "-"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _interval(low: float | None, high: float | None) -> str:
    return "unknown" if low is None or high is None else f"{low:.4f} to {high:.4f}"


def _verdict_table(verdicts: "list[Verdict]") -> Any:
    columns = [f"{verdicts[0].score} against {verdicts[0].second}", "difference", "95 % interval", "p", "result"]
    rows = []
    for one in verdicts:
        rows.append([one.first, *_difference_cells(one, one.difference)])
        if one.over_seeds:
            rows.append([f"{one.first}, over seeds", *_difference_cells(one, one.over_seeds)])
    return _table(columns[0], columns[1:], rows)


def _difference_cells(verdict: "Verdict", found: "Difference") -> list[str]:
    p_value = "-" if found.p_value is None else f"{found.p_value:.2g}"
    return [f"{found.value:+.4f}", _interval(found.low, found.high), p_value, str(verdict.outcome_of(found))]
