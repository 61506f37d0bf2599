"""What MLflow is told of a run, made from params and files. Imports no MLflow."""

from pathlib import Path
from typing import Any

from cvnlp import files, provenance
from cvnlp.params import Params


def describe(settings: Params, run: str, dataset: str, data: Path) -> dict[str, Any]:
    """The name, params, tags and data set of a run's entry.

    The params are those that decide the training: MLflow does not let a param change, and evaluation and attack may
    be repeated with others on the same model.
    """
    block = settings.runs[run].model_dump(include={"dataset", "seed", "model", "train"})
    return {
        "name": run,
        "params": block | {"data": settings.all_datasets[dataset].model_dump()},
        "tags": provenance.git_tags() | {"domain": settings.runs[run].domain, "run": run},
        "dataset": {"name": dataset, "digest": files.sha256(data / "facts.json")[:32], "source": str(data)},
    }
