"""The model that MLflow stores for a run, defined by code: it loads safetensors files, no pickle."""

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.pyfunc.model import PythonModel


class LoggedModel(PythonModel):
    """`predict` takes and returns the arrays of the half's `inference.predict`.

    Input that it refuses is an MlflowException, whose message a server sends to the client with status 400.
    """

    def load_context(self, context: Any) -> None:
        from cvnlp import domains, networks

        network, self.config = networks.load(Path(context.artifacts["model"]))
        self.network = network.cpu()
        self.inference = domains.DOMAINS[self.config.domain].inference

    def predict(self, context: Any, model_input: np.ndarray, params: dict[str, Any] | None = None) -> np.ndarray:
        try:
            return self.inference.predict(self.network, self.config, np.asarray(model_input))
        except ValueError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from error


mlflow.models.set_model(LoggedModel())
