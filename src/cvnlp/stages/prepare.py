"""raw data -> data/prepared/<dataset>."""

import shutil
from pathlib import Path

from cvnlp import command, domain
from cvnlp.params import pick


def prepare(params: Path, dataset: str, raw: Path, out: Path) -> None:
    """Fetch or read, check, split and write one data set; `raw` keeps what is fetched, or holds the user's files."""
    block = pick(params, "datasets and own", domain.read_params(params).all_datasets, dataset)
    half, options = block.domain, block.model_dump(exclude={"domain", "path"})
    shutil.rmtree(out, ignore_errors=True)  # what an interrupted run may have left
    facts = domain.part(half, "data").prepare(raw, out, **options)
    print(f"prepared {dataset}: {facts['counts']}")


if __name__ == "__main__":
    command.run(prepare, "raw", "out", item="dataset")
