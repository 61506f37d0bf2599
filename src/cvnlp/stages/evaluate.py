"""data/models/<run> on the test split -> reports/scores/<run>.json and the tables behind it."""

from pathlib import Path

from cvnlp import domains, files
from cvnlp.data import prepared
from cvnlp.params import pick
from cvnlp.stages import command_line


def evaluate(params: Path, run: str, data: Path, model: Path, scores: Path, details: Path) -> None:
    """Score one network on the test split."""
    block = pick(params, "runs", domains.read_params(params).runs, run)
    facts = prepared.facts(data)

    from cvnlp import networks

    network, _ = networks.load(model)
    evaluation = domains.DOMAINS[block.domain].evaluation
    result = evaluation.evaluate(network, data, facts, block.evaluate.model_dump(), details)
    files.write_json(scores, result)
    print(f"evaluated {run}: " + ", ".join(f"{name} {value:.4g}" for name, value in result.items()))


if __name__ == "__main__":
    command_line.run(evaluate, "data", "model", "scores", "details", item="run")
