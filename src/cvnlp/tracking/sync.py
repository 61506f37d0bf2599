"""MLflow completed from the files: every model gets its run, and the run all scores, figures and the model itself.

All results are files. A stage that DVC skips or restores logs nothing, and MLflow may have been unreachable; so the
stage `report` finds each model's run by the model's digest, creates it if it is missing, and completes it.
"""

from pathlib import Path

from mlflow.entities import LoggedModel, Run

from cvnlp import files, provenance
from cvnlp.params import Params
from cvnlp.paths import ProjectPaths, RunPaths
from cvnlp.tracking import descriptions, logged_model, mlflow_store, training_record
from cvnlp.tracking.finished_training import add_missing_epochs
from cvnlp.tracking.logged_model import DESCRIPTION
from cvnlp.tracking.mlflow_store import Store
from cvnlp.tracking.model_card import model_card
from cvnlp.tracking.run_metadata import COMPLETE, describe
from cvnlp.tracking.sync_seeds import sync_seeds
from cvnlp.tracking.training_record import TrainingRecord


def complete_all(settings: Params, paths: ProjectPaths, store: Store) -> None:
    """Complete the runs of all models of params.yaml, and mark those as killed that no process records any more."""
    store.mark_orphaned_runs_killed()
    store.client.set_experiment_tag(store.experiment, DESCRIPTION, descriptions.EXPERIMENT)
    pipeline = {"pipeline": descriptions.pipeline_tag(paths)}
    for run, block in settings.runs.items():
        places = paths.run(run, block.dataset)
        run_id = sync(settings, places, store)
        store.set_tags(run_id, pipeline)
        sync_seeds(settings, places, store, run_id)


def incomplete_runs(settings: Params, paths: ProjectPaths, store: Store) -> list[str]:
    """Runs of params.yaml with results whose entry in MLflow is missing or older than these."""
    runs = [paths.run(name, block.dataset) for name, block in settings.runs.items()]
    return [run.name for run in runs if _has_results(run) and not _is_complete(run, store)]


def _has_results(run: RunPaths) -> bool:
    return run.model.is_dir() and all(path.is_file() for path in _score_files(run).values())


def _is_complete(run: RunPaths, store: Store) -> bool:
    digest = provenance.model_digest(run.model)
    entry = _find(store, run.name, digest, training_record.read(run, digest))
    return entry is not None and entry.data.tags.get(COMPLETE) == _state(run)


def log_models(settings: Params, paths: ProjectPaths, store: Store) -> None:
    """Log every model that is not in MLflow yet. It needs no figures; `complete_all` does the rest."""
    for name, block in settings.runs.items():
        run = paths.run(name, block.dataset)
        digest = provenance.model_digest(run.model)
        entry = _open(settings, run, store, digest, training_record.read(run, digest))
        if COMPLETE not in entry.data.tags:
            _log_model(run, entry.info.run_id, store, digest)


def _open(settings: Params, run: RunPaths, store: Store, digest: str, record: TrainingRecord | None) -> Run:
    """The MLflow run of one model, created if it is missing; it has the model's digest, by which it is found again."""
    entry = _find(store, run.name, digest, record) or _create(settings, run, store, record)
    if "model.sha256" not in entry.data.tags:
        store.set_tags(entry.info.run_id, {"model.sha256": digest})
    return entry


def sync(settings: Params, run: RunPaths, store: Store) -> str:
    """Complete the MLflow run of one model, creating it if it is missing; returns its id."""
    digest = provenance.model_digest(run.model)
    record = training_record.read(run, digest)
    entry = _open(settings, run, store, digest, record)
    run_id: str = entry.info.run_id
    state = _state(run)
    complete = entry.data.tags.get(COMPLETE) == state
    if not complete:
        add_missing_epochs(run.history, run_id, store)
    if entry.info.status != "FINISHED":
        store.finish(run_id, ended=record.ended if record else None)
    if record:
        _mark_repetitions_killed(store, run.name, record)
    if complete:
        return run_id
    store.log_metrics(run_id, _metrics(run))
    scores = {stage: files.read_scores(path) for stage, path in _score_files(run).items()}
    store.client.log_dict(run_id, scores, "scores.json")
    for folder, name in ((run.evaluation, "evaluation"), (run.figures, "figures")):
        if folder.is_dir():
            store.client.log_artifacts(run_id, str(folder), name)
    for model in _log_model(run, run_id, store, digest):
        logged_model.describe(store, model.model_id, model_card(settings, run, digest))
    described = {DESCRIPTION: descriptions.run_description(settings, run, digest)}
    # the digest is last: then everything is complete
    store.set_tags(run_id, _later_params(settings, run) | described | {COMPLETE: state})
    return run_id


def _find(store: Store, run: str, digest: str, record: TrainingRecord | None) -> Run | None:
    """The newest run of this name with this model, or the one that recorded its training until MLflow failed.

    Two runs of params.yaml may train the same model.
    """
    found = store.find_runs(f"tags.`model.sha256` = '{digest}' and tags.run = '{run}'")
    if found:
        return found[0]
    recorded = store.get_run(record.mlflow_run) if record and record.mlflow_run else None
    return recorded if recorded and "model.sha256" not in recorded.data.tags else None


def _create(settings: Params, run: RunPaths, store: Store, record: TrainingRecord | None) -> Run:
    """Create a run from the files alone. Without a record, its commit, date and duration are unknown."""
    tags = record.tags if record else {}
    started = record.ended - record.seconds if record else None
    run_id = store.create_run(describe(settings, run, tags), {"from": "files"}, started=started)
    return store.client.get_run(run_id)


def _mark_repetitions_killed(store: Store, run: str, record: TrainingRecord) -> None:
    """Mark runs of a finished training as killed which an interruption left behind, also on other hosts."""
    condition = f"attributes.status = 'RUNNING' and tags.run = '{run}' and tags.training = '{record.tags['training']}'"
    for other in store.find_runs(condition):
        if other.info.start_time < record.ended * 1000 and not mlflow_store.may_be_alive(other):
            store.client.set_terminated(other.info.run_id, status="KILLED")


def _state(run: RunPaths) -> str:
    """Digest of the files that a complete MLflow run reflects."""
    folders = [folder for folder in (run.evaluation, run.figures) if folder.is_dir()]
    inside = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    return provenance.digest([files.sha256(path) for path in (*_score_files(run).values(), *inside)])


def _score_files(run: RunPaths) -> dict[str, Path]:
    return {"training": run.training, "test": run.scores, "attack": run.attacks, "insight": run.insights}


def _metrics(run: RunPaths) -> dict[str, float]:
    """A dozen metrics, with the stage as prefix: "test/accuracy". A comparison in MLflow plots every metric."""
    found = {stage: files.read_metrics(path) for stage, path in _score_files(run).items()}
    return {f"{stage}/{name}": value for stage, metrics in found.items() for name, value in metrics.items()}


def _later_params(settings: Params, run: RunPaths) -> dict[str, str]:
    """Params of the stages after training, as tags: MLflow's params cannot change, these may for the same model."""
    block = settings.runs[run.name]
    later = {"evaluate": block.evaluate, "attack": block.attack, "insight": block.insight}
    return {f"params.{stage}": options.model_dump_json() for stage, options in later.items()}


def _log_model(run: RunPaths, run_id: str, store: Store, digest: str) -> list[LoggedModel]:
    """Log the model of a run unless it is logged; returns its entries."""
    condition = f"source_run_id = '{run_id}'"
    logged = store.client.search_logged_models([store.experiment], filter_string=condition)
    if not logged:
        logged_model.log(run, run_id, digest)
        logged = store.client.search_logged_models([store.experiment], filter_string=condition)
    return list(logged)
