"""Raw data -> data/prepared/<dataset>."""

import shutil
from pathlib import Path

from cvnlp import domains
from cvnlp.params import pick, read_params
from cvnlp.params.datasets import Own
from cvnlp.paths import ProjectPaths
from cvnlp.stages import command_line


def prepare(dataset: str, root: Path = Path()) -> None:
    """Download or read, check, split and write one data set."""
    paths = ProjectPaths(root)
    block = pick(paths.params, "datasets and own", read_params(paths.params).all_datasets, dataset)
    raw = root / block.path if isinstance(block, Own) else paths.raw
    folder = paths.prepared(dataset)
    shutil.rmtree(folder, ignore_errors=True)  # what an interrupted stage may have left
    facts = domains.DOMAINS[block.domain].data.prepare(raw, folder, block)
    print(f"prepared {dataset}: {facts.sizes}")


if __name__ == "__main__":
    command_line.run(prepare, item="dataset")
