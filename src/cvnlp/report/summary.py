"""The first section of the report: findings in words, and a table of all runs of each half."""

from collections.abc import Mapping

import pandas as pd

from cvnlp import domains
from cvnlp.params.attacks import SHOWN_STRENGTH, shown_strength
from cvnlp.report import gates, seed_scores
from cvnlp.report.comparison import WORST
from cvnlp.report.elements import Column, Link, Section, Table, Text
from cvnlp.report.results import Results, RunResults
from cvnlp.report.spread import Spread

MB = 1e6
FLOP_PER_MULTIPLY_ADD = 6  # two for each of one pass forwards and two backwards
TERA = 1e12
FLAG = "flag_"  # how the scores of flags begin
OVER_SEEDS = (
    "The score of a run with several seeds is mean ± standard deviation (number of seeds); its interval and all that "
    "follows are of its own seed."
)


def summary(halves: Mapping[str, Results]) -> Section:
    """Of the halves that have runs."""
    findings = [text for half, found in halves.items() for text in domains.DOMAINS[half].report.findings(found)]
    tables = [table(half, found) for half, found in halves.items()]
    return Section("Summary", (*map(Text, findings), *tables), id="summary")


def table(half: str, found: Results) -> Table:
    """A row for each run."""
    room = domains.DOMAINS[half]
    runs = found.runs
    estimates = [_estimate(run) for run in runs]
    columns = (
        Column("run", [Link(run.name, f"#run-{run.name}") for run in runs]),
        Column("network", [run.network for run in runs]),
        Column("data", [Link(run.block.dataset, f"#data-{run.block.dataset}") for run in runs]),
        Column(room.main_score.title, [_score(run) for run in runs], ".4f"),
        Column("95% interval", estimates),
        Column(f"{room.report.ROBUSTNESS.metric}, worst case", [_worst_case(run) for run in runs], ",.4g"),
        Column("flags", map(_flags, runs)),
        Column("gates", [_gates(run) for run in runs]),
        Column("parameters", [run.training["parameters"] for run in runs], ",d"),
        Column("MB", [(run.paths.model / gates.WEIGHTS).stat().st_size / MB for run in runs], ",.1f"),
        Column("training, TFLOP", [_compute(run) for run in runs], ",.1f"),
    )
    caption = (
        f"The test score of every run; its worst case under attack, at the {room.report.ROBUSTNESS.strength} nearest "
        f"to {SHOWN_STRENGTH:g} (a flag is a sign that attacks are too weak, see docs/attacks.md); parameters, size, "
        "and operations of the training, of one forward and backward pass per example. Seconds differ between machines "
        "and are in MLflow."
    )
    if any(seed_scores.read(run.paths) for run in runs):
        caption = f"{caption} {OVER_SEEDS}"
    return Table(f"{room.report.TITLE}: all runs", columns, caption)


def _score(run: RunResults) -> float | Spread:
    """The main score; of a run with several seeds over all of them."""
    seeds, name = seed_scores.read(run.paths), domains.DOMAINS[run.block.domain].main_score.name
    return seed_scores.spreads(seeds).get(name, run.score) if seeds else run.score


def _estimate(run: RunResults) -> str:
    room = domains.DOMAINS[run.block.domain].comparison
    examples = room.read_examples(run.paths.evaluation, run.scores)
    found = examples.estimate() if examples else room.estimate(run.scores)
    return "" if found.low is None or found.high is None else f"{found.low:.4f} to {found.high:.4f}"


def _worst_case(run: RunResults) -> float | None:
    shown = domains.DOMAINS[run.block.domain].report.ROBUSTNESS
    rows = pd.read_csv(run.paths.attack_table)
    rows = rows[rows["method"] == WORST]
    if not len(rows):
        return None
    return float(rows.set_index(shown.strength)[shown.metric][shown_strength(rows[shown.strength])])


def _flags(run: RunResults) -> str:
    """The names of the raised flags; nothing where there were no checks."""
    flags = {name.removeprefix(FLAG): value for name, value in run.attacks.items() if name.startswith(FLAG)}
    raised = [name.replace("_", " ") for name, value in flags.items() if value]
    return ", ".join(raised) or ("none" if flags else "")


def _gates(run: RunResults) -> str:
    checked = [gate for gate in gates.check(run.block, run.paths) if gate.name != gates.LATENCY]
    return "" if not checked else "passed" if all(gate.passed for gate in checked) else "failed"


def _compute(run: RunResults) -> float:
    training = run.training
    return FLOP_PER_MULTIPLY_ADD * training["multiply_adds"] * training["examples"] / TERA
