"""Check the gates of a run against its files, and show the result."""

from cvnlp import files
from cvnlp.params.gates import Gate
from cvnlp.params.runs import LanguageRun, VisionRun
from cvnlp.paths import RunPaths
from cvnlp.report.elements import Column, Table

WEIGHTS = "model.safetensors"
MB = 1e6
LATENCY = "maximum_latency"


def check(block: VisionRun | LanguageRun, run: RunPaths, *, latency: float | None = None) -> list[Gate]:
    """The gates of a run with their values; `latency` in milliseconds, if it was measured."""
    if block.gates is None:
        return []
    scores, attacks = files.read_scores(run.scores), files.read_scores(run.attacks)
    values = block.gates.values(scores, attacks) | {
        "maximum_size": (run.model / WEIGHTS).stat().st_size / MB,
        LATENCY: latency,
    }
    limits = {name: getattr(block.gates, name) for name in values}
    return [Gate(name, limit, values[name]) for name, limit in limits.items() if limit is not None]


def table(gates: list[Gate]) -> list[Table]:
    """The gates as a table. A latency differs every time, so it is in MLflow only."""
    shown = [gate for gate in gates if gate.name != LATENCY]
    if not shown:
        return []
    columns = (
        Column("gate", [gate.name.replace("_", " ") for gate in shown]),
        Column("limit", [gate.limit for gate in shown], ",.4g"),
        Column("value", [gate.value for gate in shown], ",.4g"),
        Column("result", ["passed" if gate.passed else "failed" for gate in shown]),
    )
    return [Table("Gates", columns, "A model that passes all gates of its run is registered in MLflow.")]
