"""data/models/<run> -> reports/insights/<run>.json: what the network has learned, and the arrays that show it."""

from pathlib import Path

from cvnlp import domains, files
from cvnlp.data import prepared
from cvnlp.params import pick
from cvnlp.stages import command_line


def insight(params: Path, run: str, data: Path, model: Path, scores: Path, details: Path) -> None:
    """Look into one network, beside what it was before training."""
    block = pick(params, "runs", domains.read_params(params).runs, run)
    facts = prepared.facts(data)

    from cvnlp import networks

    network, config = networks.load(model)
    fresh = networks.build(config, seed=block.seed).to(networks.device()).eval()
    options = block.insight.model_dump()
    result = domains.DOMAINS[block.domain].insight.examine(network, fresh, data, facts, options, details)
    files.write_json(scores, result)
    print(f"looked into {run}: " + ", ".join(f"{name} {value:.4g}" for name, value in result.items()))


if __name__ == "__main__":
    command_line.run(insight, "data", "model", "scores", "details", item="run")
