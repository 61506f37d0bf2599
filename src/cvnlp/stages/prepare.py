"""raw data -> data/prepared/<dataset>."""

import shutil
from pathlib import Path

from cvnlp import command, domain
from cvnlp.params import pick


def prepare(params: Path, dataset: str, raw: Path, out: Path) -> None:
    """Fetch, check, split and write one data set."""
    options = pick(params, "datasets", domain.read_params(params).datasets, dataset).model_dump()
    half = options.pop("domain")
    shutil.rmtree(out, ignore_errors=True)  # what an interrupted run may have left
    facts = domain.part(half, "data").prepare(raw, out, **options)
    print(f"prepared {dataset}: {facts['counts']}")


if __name__ == "__main__":
    command.run(prepare, "raw", "out", item="dataset")
