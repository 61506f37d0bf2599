"""data/models/<run> -> reports/insights/<run>.json: what the network has learned, and the arrays that show it."""

from pathlib import Path

from cvnlp import domains, files
from cvnlp.data import prepared
from cvnlp.params import pick, read_params
from cvnlp.paths import ProjectPaths
from cvnlp.stages import command_line


def insight(run: str, root: Path = Path()) -> None:
    """Analyse one network, next to the same network before training."""
    project = ProjectPaths(root)
    block = pick(project.params, "runs", read_params(project.params).runs, run)
    paths = project.run(run, block.dataset)
    facts = prepared.read_facts(paths.prepared)

    from cvnlp import networks
    from cvnlp.launch.devices import device

    networks.use_threads(block.insight.threads)
    network, config = networks.load(paths.model)
    untrained = networks.build(config, seed=block.seed).to(device()).eval()
    room = domains.DOMAINS[block.domain].insight
    scores = room.analyse(network, untrained, paths.prepared, facts, block.insight, paths.insight)
    files.write_scores(paths.insights, scores, metrics=room.METRICS)
    print(f"analysed {run}: " + ", ".join(f"{name} {value:.4g}" for name, value in scores.items()))


if __name__ == "__main__":
    command_line.run(insight, item="run")
