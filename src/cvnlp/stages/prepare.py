"""raw data -> data/prepared/<dataset>."""

import shutil
from pathlib import Path

from cvnlp import domains
from cvnlp.params import pick
from cvnlp.stages import command_line


def prepare(params: Path, dataset: str, raw: Path, out: Path) -> None:
    """Fetch or read, check, split and write one data set; `raw` keeps what is fetched, or holds the user's files."""
    block = pick(params, "datasets and own", domains.read_params(params).all_datasets, dataset)
    half, options = block.domain, block.model_dump(exclude={"domain", "path"})
    shutil.rmtree(out, ignore_errors=True)  # what an interrupted run may have left
    facts = domains.DOMAINS[half].data.prepare(raw, out, **options)
    print(f"prepared {dataset}: {facts['counts']}")


if __name__ == "__main__":
    command_line.run(prepare, "raw", "out", item="dataset")
