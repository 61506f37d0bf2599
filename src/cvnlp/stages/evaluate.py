"""data/models/<run> on the test split -> reports/scores/<run>.json and the tables behind it."""

from pathlib import Path

from cvnlp import domains, files
from cvnlp.data import prepared
from cvnlp.params import pick, read_params
from cvnlp.paths import ProjectPaths
from cvnlp.stages import command_line


def evaluate(run: str, root: Path = Path()) -> None:
    """Score one network on the test split."""
    project = ProjectPaths(root)
    block = pick(project.params, "runs", read_params(project.params).runs, run)
    paths = project.run(run, block.dataset)
    facts = prepared.read_facts(paths.prepared)

    from cvnlp import networks

    networks.use_threads(block.evaluate.threads)
    network, _ = networks.load(paths.model)
    room = domains.DOMAINS[block.domain].evaluation
    scores = room.evaluate(network, paths.prepared, facts, block.evaluate, paths.evaluation)
    files.write_scores(paths.scores, scores, metrics=domains.DOMAINS[block.domain].metrics.METRICS)
    print(f"evaluated {run}: " + ", ".join(f"{name} {value:.4g}" for name, value in scores.items()))


if __name__ == "__main__":
    command_line.run(evaluate, item="run")
