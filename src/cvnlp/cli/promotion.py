"""`cvnlp registry`, `cvnlp promote`, `cvnlp rollback`: the champions in MLflow's model registry."""

import datetime
import json
from dataclasses import asdict
from typing import Annotated, Any

import typer

from cvnlp.cli.options import Json

Dataset = Annotated[str, typer.Argument(metavar="DATASET", help="A data set with registered models.")]


def registry(as_json: Json = False) -> None:
    """List the registered models: versions and champion of each data set, and the history of champions.

    `report` registers the models of runs that have `gates` in params.yaml and pass them.
    """
    from cvnlp.tracking import mlflow_store, model_registry

    store = mlflow_store.connect()
    found = {name: _describe(store, name) for name in model_registry.datasets(store)}
    if as_json:
        print(json.dumps(found, indent=1))
    elif not found:
        print("no registered models: `dvc repro` registers runs that pass the `gates` of their block in params.yaml")
    else:
        print("\n\n".join(_text(name, entry) for name, entry in found.items()))


def _describe(store: Any, dataset: str) -> dict[str, Any]:
    from cvnlp.tracking import model_registry

    champion = model_registry.champion(store, dataset)
    return {
        "champion": champion and champion.number,
        "versions": [asdict(version) for version in model_registry.versions(store, dataset)],
        "history": [asdict(change) for change in model_registry.history(store, dataset)],
    }


def _text(dataset: str, entry: dict[str, Any]) -> str:
    from tabulate import tabulate

    rows = [
        {
            "version": one["number"],
            "run": one["run"],
            "commit": one["commit"][:10],
            "model": one["model"][:10],
            "": "champion" if one["number"] == entry["champion"] else "",
        }
        for one in entry["versions"]
    ]
    lines = [f"{_day(one['at'])}  version {one['version']} ({one['run']}): {one['reason']}" for one in entry["history"]]
    return "\n".join([dataset, tabulate(rows, headers="keys"), "champions:", *(f"  {line}" for line in lines)])


def _day(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M")


def promote(
    dataset: Dataset,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="Its number, see `cvnlp registry`.")],
    reason: Annotated[str, typer.Option(help="For the history.")] = "promoted by hand",
) -> None:
    """Make a registered version the champion of its data set, whatever its scores."""
    from cvnlp.registry import champion
    from cvnlp.tracking import mlflow_store

    found = champion.promote(mlflow_store.connect(), dataset, version, reason)
    print(f"version {found.number} ({found.run}) is the champion of {dataset}")


def rollback(dataset: Dataset) -> None:
    """Make the champion before the current one champion again."""
    from cvnlp.registry import champion
    from cvnlp.tracking import mlflow_store

    found = champion.rollback(mlflow_store.connect(), dataset)
    print(f"version {found.number} ({found.run}) is the champion of {dataset} again")
