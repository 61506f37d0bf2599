"""data/models/<run> under attack -> reports/attacks/<run>.json and .csv, attacked pictures, and tables."""

from pathlib import Path

from cvnlp import domains, files
from cvnlp.data import prepared
from cvnlp.params import pick, read_params
from cvnlp.paths import ProjectPaths
from cvnlp.stages import command_line


def attack(run: str, root: Path = Path()) -> None:
    """Attack one network at rising strength, next to random perturbations of the same strength."""
    project = ProjectPaths(root)
    block = pick(project.params, "runs", read_params(project.params).runs, run)
    paths = project.run(run, block.dataset)
    facts = prepared.read_facts(paths.prepared)

    from cvnlp import networks

    networks.use_threads(block.attack.threads)
    network, _ = networks.load(paths.model)
    paths.attacked.mkdir(parents=True, exist_ok=True)  # there may be nothing to write
    room = domains.DOMAINS[block.domain].attacks
    result = room.attack(network, paths.prepared, facts, block.attack, paths.attacked)
    files.write_scores(paths.attacks, result.scores, metrics=result.metrics)
    files.write_table(paths.attack_table, result.table)
    files.write_json(paths.attack_durations, result.seconds)
    print(f"attacked {run}: " + ", ".join(f"{name} {result.scores[name]:.4g}" for name in result.metrics))


if __name__ == "__main__":
    command_line.run(attack, item="run")
