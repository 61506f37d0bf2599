"""A run in MLflow for every other seed of a run, below the run's own one: params, curves, scores and evaluation."""

from cvnlp import domains, files, provenance
from cvnlp.params import Params
from cvnlp.paths import RunPaths, SeedPaths
from cvnlp.tracking import training_record
from cvnlp.tracking.finished_training import finish
from cvnlp.tracking.mlflow_store import Store
from cvnlp.tracking.run_metadata import COMPLETE, PARENT, RunMetadata, describe


def sync_seeds(settings: Params, run: RunPaths, store: Store, parent: str) -> None:
    """Create or complete the runs of all seeds in data/seeds; `parent`: the id of the run's own one."""
    for folder in sorted(run.seeds.glob("*")):
        _sync(settings, run, int(folder.name), store, parent)


def seed_run(run: str, seed: int) -> str:
    """The name in MLflow."""
    return f"{run}-seed{seed}"  # no run of params.yaml has a name with a hyphen


def _sync(settings: Params, run: RunPaths, seed: int, store: Store, parent: str) -> None:
    paths = SeedPaths(run.seeds / str(seed))
    digest, name = provenance.model_digest(paths.model), seed_run(run.name, seed)
    found = store.find_runs(f"tags.`model.sha256` = '{digest}' and tags.run = '{name}'")
    tags = found[0].data.tags if found else {}
    run_id: str = found[0].info.run_id if found else _create(settings, run, seed, store, digest)
    state = provenance.digest([files.sha256(path) for path in sorted(paths.folder.rglob("*")) if path.is_file()])
    if (tags.get(COMPLETE), tags.get(PARENT)) == (state, parent):
        return
    _log_scores(settings, run, paths, store, run_id)
    store.set_tags(run_id, {PARENT: parent, COMPLETE: state})


def _create(settings: Params, run: RunPaths, seed: int, store: Store, digest: str) -> str:
    record = training_record.read(run, digest)
    started = record.ended - record.seconds if record else None
    described = _describe(settings, run, seed, record.tags if record else {})
    run_id = store.create_run(described, {"from": "files"}, started=started)
    finish(SeedPaths(run.seeds / str(seed)).history, run_id, store, digest, record)
    return run_id


def _describe(settings: Params, run: RunPaths, seed: int, tags: dict[str, str]) -> RunMetadata:
    own, name = describe(settings, run, tags), seed_run(run.name, seed)
    changed = {"params": own.params | {"seed": str(seed)}, "tags": own.tags | {"run": name, "seed": str(seed)}}
    return own.model_copy(update={"name": name, **changed})


def _log_scores(settings: Params, run: RunPaths, paths: SeedPaths, store: Store, run_id: str) -> None:
    """In the form of the run's own ones, so that `cvnlp compare mlflow:<id>` reads them."""
    shown = domains.DOMAINS[settings.runs[run.name].domain].metrics.METRICS
    scores = files.read_json(paths.scores)["scores"]
    store.log_metrics(run_id, {f"test/{name}": value for name, value in scores.items() if name in shown})
    store.client.log_dict(run_id, {"test": scores, "training": {}}, "scores.json")
    store.client.log_artifacts(run_id, str(paths.evaluation), "evaluation")
