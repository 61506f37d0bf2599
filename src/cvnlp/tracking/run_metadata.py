"""What MLflow stores of a run besides its metrics: params, tags and data set. Imports no MLflow."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from cvnlp import files
from cvnlp.params import Params
from cvnlp.paths import RunPaths

PARENT = "mlflow.parentRunId"  # MLflow's own tag, by which its pages nest runs
COMPLETE = "report.sha256"  # the tag of a run that is complete: digest of the files that it reflects
DIGEST_LENGTH = 32  # MLflow accepts at most 36 characters


class DatasetReference(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: str
    digest: str
    source: str


class RunMetadata(BaseModel):
    """`params` have the keys of params.yaml, joined with dots: "train.lr"."""

    model_config = ConfigDict(frozen=True)

    name: str
    params: dict[str, str]
    tags: dict[str, str]
    dataset: DatasetReference


def describe(settings: Params, run: RunPaths, tags: Mapping[str, str]) -> RunMetadata:
    """The metadata of a run of params.yaml, with `tags` that tell where its training comes from.

    Only params that decide the training are included: MLflow refuses to change a param, while evaluation, attack and
    insight may be repeated with others on the same model.
    """
    block = settings.runs[run.name]
    params = block.model_dump(mode="json", include={"dataset", "seed", "model", "train"})
    params["data"] = settings.all_datasets[run.dataset].model_dump(mode="json")
    return RunMetadata(
        name=run.name,
        params={key: str(value) for key, value in flatten(params).items()},
        tags={**tags, "domain": block.domain, "run": run.name},
        dataset=DatasetReference(
            name=run.dataset,
            digest=files.sha256(run.prepared / "facts.json")[:DIGEST_LENGTH],
            source=str(run.prepared),
        ),
    )


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with keys joined by dots."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat
