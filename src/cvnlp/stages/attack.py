"""data/models/<run> under attack -> reports/attacks/<run>.json and .csv, and examples."""

from pathlib import Path

import pandas as pd

from cvnlp import domains, files
from cvnlp.data import prepared
from cvnlp.params import pick
from cvnlp.stages import command_line


def attack(params: Path, run: str, data: Path, model: Path, scores: Path, table: Path, examples: Path) -> None:
    """Attack one network at rising strength, beside chance of the same strength."""
    block = pick(params, "runs", domains.read_params(params).runs, run)
    facts = prepared.facts(data)

    from cvnlp import networks

    network, _ = networks.load(model)
    result, rows, shown = domains.DOMAINS[block.domain].attacks.attack(network, data, facts, block.attack.model_dump())
    files.write_json(scores, result)
    files.write_table(table, pd.DataFrame(rows))
    examples.mkdir(parents=True, exist_ok=True)  # there may be none to show
    for name, array in shown.items():
        prepared.save_array(examples, name, array)
    print(f"attacked {run}: " + ", ".join(f"{name} {value:.4g}" for name, value in result.items()))


if __name__ == "__main__":
    command_line.run(attack, "data", "model", "scores", "table", "examples", item="run")
