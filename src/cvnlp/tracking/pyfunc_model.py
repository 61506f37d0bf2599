"""The model that MLflow stores for a run, defined by code: it loads safetensors files, no pickle."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.pyfunc.model import PythonModel


class LoggedModel(PythonModel):
    """`predict` takes a table with one column, or the values of that column, and returns a table with a row for each.

    What they are is described in the model card and by the half's `serving.answer_table`. Input that it refuses is an
    MlflowException, whose message a server sends to the client with status 400.
    """

    def load_context(self, context: Any) -> None:
        from cvnlp import domains
        from cvnlp.serving.loading import load
        from cvnlp.tracking.signature import interface

        self.model = load(Path(context.artifacts["model"]))
        self.model.network.cpu()
        self.interface = interface(self.model.config)
        self.room = domains.DOMAINS[self.model.config.domain].serving

    # MLflow warns of an annotation of model_input
    def predict(self, context, model_input, params=None) -> pd.DataFrame:  # type: ignore[no-untyped-def]
        try:
            rows = values(model_input, column=self.interface.column)
            return self.room.answer_table(self.model, rows, {**self.interface.params, **(params or {})})
        except (ValueError, TypeError) as error:
            raise MlflowException.invalid_parameter_value(str(error)) from error


def values(given: Any, *, column: str) -> Sequence[Any]:
    """The values of the only column of a table, which is named `column` or has no name, or the given values."""
    if isinstance(given, Mapping):
        given = pd.DataFrame({name: list(cells) for name, cells in given.items()})
    if isinstance(given, pd.DataFrame):
        names = [str(name) for name in given.columns]
        if names not in ([column], ["0"]):
            raise ValueError(f"columns {', '.join(names) or 'none'}: expected one column, {column!r}")
        cells = given.iloc[:, 0].tolist()
        return _flattened(cells)
    return [given] if isinstance(given, str | bytes) else list(given)


def _flattened(cells: list[Any]) -> list[Any]:
    """The texts of a single cell with a list of texts: so MLflow passes on a column that is given as a dictionary."""
    only = cells[0] if len(cells) == 1 else None
    return list(only) if isinstance(only, list | np.ndarray) and all(isinstance(one, str) for one in only) else cells


mlflow.models.set_model(LoggedModel())
