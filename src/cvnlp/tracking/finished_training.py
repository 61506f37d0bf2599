"""The MLflow run of a finished training, from its files: the epochs that it lacks, its model, and its end."""

from pathlib import Path

import numpy as np
import pandas as pd

from cvnlp.tracking.mlflow_store import Store
from cvnlp.tracking.training_record import TrainingRecord


def finish(history: Path, run_id: str, store: Store, digest: str, record: TrainingRecord | None) -> None:
    """Log the epochs that the run lacks, and end it: its model is complete."""
    add_missing_epochs(history, run_id, store)
    store.set_tags(run_id, {"model.sha256": digest})
    store.finish(run_id, ended=record.ended if record else None)


def add_missing_epochs(history: Path, run_id: str, store: Store) -> None:
    """Log the epochs that MLflow lacks, because it was unreachable or because there was no recording."""
    epochs = pd.read_csv(history).set_index("epoch").drop(columns="step")
    logged = store.logged_epochs(run_id, epochs.columns)
    for epoch, row in epochs.iterrows():
        if epoch not in logged:
            values = {str(name): float(value) for name, value in row.items() if np.isfinite(value)}
            store.log_metrics(run_id, values, int(str(epoch)))
