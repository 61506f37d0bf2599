"""Attacked images of all runs -> reports/transfer.csv: the accuracy of each classifier on those of every other one."""

from pathlib import Path

from cvnlp import files
from cvnlp.params import read_params
from cvnlp.params.runs import VisionRun
from cvnlp.paths import ProjectPaths
from cvnlp.stages import command_line


def transfer(root: Path = Path()) -> None:
    """Show the images attacked for each classifier to the other ones of its data set that were attacked on the same."""
    project = ProjectPaths(root)
    settings = read_params(project.params)

    from cvnlp import networks
    from cvnlp.vision.attacks.transfer import read_attacked, transfer_tables

    networks.use_threads(1)
    blocks = {run: block for run, block in settings.runs.items() if isinstance(block, VisionRun)}
    paths = {run: project.run(run, block.dataset) for run, block in blocks.items()}
    found = {
        run: read_attacked(paths[run].attacked, dataset=block.dataset, norm=block.attack.norm)
        for run, block in blocks.items()
    }
    attacked = {run: one for run, one in found.items() if one}
    pairs, gains = transfer_tables(attacked, lambda run: networks.load(paths[run].model)[0])
    files.write_table(project.transfer, pairs)
    files.write_table(project.transfer_gains, gains)
    print(f"transfer: {pairs['target'].nunique()} classifiers, {project.transfer}")


if __name__ == "__main__":
    command_line.run(transfer)
