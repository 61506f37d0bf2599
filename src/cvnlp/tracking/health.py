"""Whether MLflow's store can be reached, has the tables of the installed version, and has all runs.

Imports no MLflow at the start.
"""

from pathlib import Path

import sqlalchemy

from cvnlp.params import Params
from cvnlp.paths import ProjectPaths
from cvnlp.tracking import address


def check_store() -> str:
    """One line about the store; ConnectionError with the command that mends it if it cannot be used."""
    uri = address.tracking_uri()
    if address.is_server(uri):
        return _check_server(uri)
    if not address.is_database(uri):
        raise ConnectionError(f"{address.mask(uri)} is neither a server nor a database: change {address.URI}")
    if _is_missing(uri):
        return "no database yet: `dvc repro` creates it"
    return _check_database(uri)


def check_runs(settings: Params, paths: ProjectPaths) -> tuple[list[str], list[str]]:
    """Runs that are "running" though their process has ended, and runs of params.yaml whose results MLflow lacks.

    None of either if there is no database yet.
    """
    if _is_missing(address.tracking_uri()):
        return [], []
    from cvnlp.tracking import mlflow_store, sync

    with address.masked_output():
        store = mlflow_store.connect()
        orphaned = [str(run.info.run_name) for run in store.orphaned_runs()]
        return orphaned, sync.incomplete_runs(settings, paths, store)


def _is_missing(uri: str) -> bool:
    return uri == address.own_database() and not Path(str(sqlalchemy.make_url(uri).database)).is_file()


def _check_server(uri: str) -> str:
    import requests

    try:
        answer = requests.get(f"{uri.rstrip('/')}/health", timeout=5)
        answer.raise_for_status()
    except requests.RequestException as error:
        raise ConnectionError(f"{address.mask(uri)} does not answer ({type(error).__name__}): start it") from None
    return f"the server {address.mask(uri)} answers"


def _check_database(uri: str) -> str:
    """Compare the revision of the tables with the newest one that the installed MLflow has."""
    import mlflow
    from mlflow.store.db.utils import _get_latest_schema_revision

    engine = sqlalchemy.create_engine(uri)
    try:
        with engine.connect() as connection:
            found = connection.execute(sqlalchemy.text("SELECT version_num FROM alembic_version")).scalar()
    except sqlalchemy.exc.SQLAlchemyError as error:
        reason = address.mask(str(error).splitlines()[0])
        raise ConnectionError(f"{address.mask(uri)} cannot be read ({reason}): restore it, or remove it") from None
    finally:
        engine.dispose()
    if found != _get_latest_schema_revision():
        raise ConnectionError(f"its tables are of another version: `mlflow db upgrade {address.mask(uri)}`")
    return f"{address.mask(uri)} has the tables of MLflow {mlflow.__version__}"
