"""The trained model of a run in MLflow: its files and code, signature, example, requirements and model card."""

import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema
from mlflow.types.schema import AnyType

from cvnlp import files
from cvnlp.params.network_config import NetworkConfig, parse_config
from cvnlp.paths import RunPaths
from cvnlp.tracking.mlflow_store import Store
from cvnlp.tracking.signature import Interface, example, interface

# What a logged model imports; without this list MLflow would pin this machine's own build of torch.
REQUIREMENTS = (
    *("mlflow", "torch", "numpy", "pandas", "pydantic", "safetensors", "pillow", "regex", "charset-normalizer"),
    *("ruamel.yaml", "filelock", "threadpoolctl", "tqdm"),
)
CARD = "README.md"
DESCRIPTION = "mlflow.note.content"  # the tag that MLflow's pages show as description
LONGEST = 8000  # characters of a tag


class UnvalidatedModel(Model):
    """Logged without a request to it: MLflow would load every network, and torch, in the stage `report`.

    Tests load logged models and send them their example.
    """

    def get_serving_input(self, path: str) -> None:
        return None


def log(run: RunPaths, run_id: str, digest: str) -> None:
    """Add the model to a run, also to a finished one, without starting it again."""
    if config := _config(run):
        UnvalidatedModel.log(
            artifact_path=None,
            name=run.name,
            flavor=mlflow.pyfunc,
            run_id=run_id,
            tags={"model.sha256": digest},
            **content(run.model, config, run.prepared),
        )


def _config(run: RunPaths) -> NetworkConfig | None:
    """None for a model of an older version, which cannot be used without its data."""
    path = run.model / "config.json"
    config = parse_config(path, files.read_json(path))
    return config if config.processing else None


def content(folder: Path, config: NetworkConfig, data: Path) -> dict[str, Any]:
    """What MLflow stores of the model in `folder`, as arguments of `mlflow.pyfunc.save_model`."""
    found = interface(config)
    return {
        "python_model": str(Path(__file__).with_name("pyfunc_model.py")),
        "artifacts": {"model": str(folder)},
        "code_paths": [str(Path(__file__).parents[1])],
        "signature": signature(found),
        "input_example": input_example(found, config, data),
        "pip_requirements": requirements(),
    }


def signature(found: Interface) -> ModelSignature:
    """Without the name of the input column, so that MLflow also accepts plain values; the model checks the name.

    Nor with its type: MLflow would cast to it what is of another type in JSON, null to the text "None".
    """
    params = [ParamSpec(name, _type(value), value) for name, value in found.params.items()]
    return ModelSignature(
        inputs=Schema([ColSpec(AnyType())]),
        outputs=Schema([ColSpec(kind, name) for name, kind in found.outputs.items()]),
        **({"params": ParamSchema(params)} if params else {}),
    )


def _type(value: float) -> str:
    return "long" if isinstance(value, int) else "double"


def input_example(found: Interface, config: NetworkConfig, data: Path) -> pd.DataFrame:
    """A table of one row."""
    return pd.DataFrame({found.column: [example(config, data)]})


def requirements() -> list[str]:
    """With the installed versions, without local variants such as "+cpu"."""
    return [f"{name}=={version(name).partition('+')[0]}" for name in REQUIREMENTS]


def describe(store: Store, model_id: str, card: str) -> None:
    """Set or replace the model card: the description in MLflow's pages, and README.md among the model's files."""
    shown = card if len(card) <= LONGEST else f"{card[: LONGEST - 100]}\n\n(The rest is in {CARD}.)\n"
    store.client.set_logged_model_tags(model_id, {DESCRIPTION: shown})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / CARD
        files.write_text(path, card)
        store.client.log_model_artifact(model_id, str(path))
