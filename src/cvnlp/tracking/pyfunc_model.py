"""The model that MLflow keeps of a run, from code: it loads the safetensors files, no pickle."""

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow.pyfunc import PythonModel


class Served(PythonModel):
    """`predict` takes and gives arrays as the half's `serving.predict` says."""

    def load_context(self, context: Any) -> None:
        from cvnlp import domains, networks

        network, self.config = networks.load(Path(context.artifacts["model"]))
        self.network = network.cpu()
        self.serving = domains.DOMAINS[self.config.domain].inference

    def predict(self, context: Any, model_input: np.ndarray, params: dict[str, Any] | None = None) -> np.ndarray:
        return self.serving.predict(self.network, self.config, np.asarray(model_input))


mlflow.models.set_model(Served())
