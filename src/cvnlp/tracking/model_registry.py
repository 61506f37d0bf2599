"""MLflow's model registry: one registered model per data set, whose alias `champion` is the best version.

Every change of the alias is an entry of the history, a tag of the registered model.
"""

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from cvnlp.tracking.mlflow_store import ABSENT, Store

PREFIX = "cvnlp-"  # of the names of registered models: a server may be shared
CHAMPION = "champion"
HISTORY = "champion.history"
PENDING = 60  # seconds to wait for a version


@dataclass(frozen=True)
class Version:
    """A registered version: `number` in the registry, `run_id` in MLflow, and what it was trained from."""

    number: str
    run: str
    run_id: str
    model: str
    data: str
    commit: str


@dataclass(frozen=True)
class Change:
    """An entry of the history: the version that became champion, when (seconds since the epoch), and why."""

    version: str
    run: str
    at: float
    reason: str


def registered_name(dataset: str) -> str:
    return f"{PREFIX}{dataset}"


def versions(store: Store, dataset: str) -> list[Version]:
    """All versions of a data set's registered model, the oldest first; none if it does not exist."""
    found = store.client.search_model_versions(f"name = '{registered_name(dataset)}'")
    return sorted(map(_version, found), key=lambda version: int(version.number))


def champion(store: Store, dataset: str) -> Version | None:
    try:
        return _version(store.client.get_model_version_by_alias(registered_name(dataset), CHAMPION))
    except MlflowException as error:
        if error.error_code in ABSENT:
            return None
        raise  # a failing server must not look like a data set without a champion


def register(store: Store, dataset: str, version: Version) -> Version:
    """Add a version for the model that MLflow has logged for the run; returns it with its number.

    ValueError if MLflow has no model of this run.
    """
    name = registered_name(dataset)
    _create_registered_model(store, name, dataset)
    logged = store.client.search_logged_models([store.experiment], filter_string=f"source_run_id = '{version.run_id}'")
    if not logged:
        raise ValueError(f"MLflow has no model of the run {version.run}")
    tags = {key: value for key, value in asdict(version).items() if key not in ("number", "run_id")}
    created = store.client.create_model_version(
        name, logged[0].model_uri, version.run_id, tags=tags, await_creation_for=PENDING, model_id=logged[0].model_id
    )
    return replace(version, number=str(created.version))


def set_champion(store: Store, dataset: str, version: Version, reason: str) -> None:
    """Let the alias refer to this version, and add an entry to the history."""
    name = registered_name(dataset)
    store.client.set_registered_model_alias(name, CHAMPION, version.number)
    entries = [*history(store, dataset), Change(version.number, version.run, time.time(), reason)]
    store.client.set_registered_model_tag(name, HISTORY, json.dumps([asdict(entry) for entry in entries]))


def history(store: Store, dataset: str) -> list[Change]:
    """The champions of a data set so far, the oldest first."""
    try:
        tags = store.client.get_registered_model(registered_name(dataset)).tags
    except MlflowException as error:
        if error.error_code in ABSENT:
            return []
        raise
    return [Change(**entry) for entry in json.loads(tags.get(HISTORY, "[]"))]


def datasets(store: Store) -> list[str]:
    """The data sets that have a registered model."""
    found = store.client.search_registered_models(f"name LIKE '{PREFIX}%'")
    return sorted(model.name.removeprefix(PREFIX) for model in found)


def champion_folder(store: Store, dataset: str) -> Path:
    """The folder of the champion's model.safetensors and config.json; ValueError without a champion."""
    found = champion(store, dataset)
    if found is None:
        known = ", ".join(name for name in datasets(store) if champion(store, name))
        raise ValueError(f"{dataset} has no champion; data sets with one: {known or 'none'}")
    place = mlflow.artifacts.download_artifacts(f"models:/{registered_name(dataset)}@{CHAMPION}")
    return Path(place) / "artifacts" / found.run  # MLflow keeps the name of the folder that was logged


def _create_registered_model(store: Store, name: str, dataset: str) -> None:
    try:
        store.client.create_registered_model(name, description=f"Models for the data set {dataset}.")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _version(found: ModelVersion) -> Version:
    fields = {key: found.tags.get(key, "") for key in ("run", "model", "data", "commit")}
    return Version(number=str(found.version), run_id=found.run_id or "", **fields)
