"""Where the model is that the argument RUN of a command names."""

from pathlib import Path

CHAMPION = "champion"


def find(run: str, root: Path, *, half: str | None = None) -> Path:
    """The folder of a trained run, of a folder, or of `champion:DATASET` in MLflow's registry (docs of `RUN`).

    ValueError with the choices if there is none.
    """
    prefix, colon, dataset = run.partition(":")
    if prefix == CHAMPION and (colon or not Path(run).exists()):
        return _champion(dataset)
    from cvnlp.serving.loading import find_model

    return find_model(run, root, half=half)


def _champion(dataset: str) -> Path:
    from cvnlp.tracking import mlflow_store, model_registry

    store = mlflow_store.connect()
    known = model_registry.datasets(store)
    if not dataset and len(known) != 1:
        raise ValueError(f"name the data set, as in champion:{known[0] if known else 'DATASET'}; there are {known}")
    return model_registry.champion_folder(store, dataset or known[0])
