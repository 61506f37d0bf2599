"""data/models/<run> under attack -> reports/attacks/<run>.json and .csv, and examples."""

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
    result = domains.DOMAINS[block.domain].attacks.attack(network, paths.prepared, facts, block.attack)
    files.write_scores(paths.attacks, result.scores, metrics=result.metrics)
    files.write_table(paths.attack_table, result.table)
    paths.attack_examples.mkdir(parents=True, exist_ok=True)  # there may be none to show
    for name, array in result.examples.items():
        prepared.save_array(paths.attack_examples, name, array)
    print(f"attacked {run}: " + ", ".join(f"{name} {value:.4g}" for name, value in result.scores.items()))


if __name__ == "__main__":
    command_line.run(attack, item="run")
