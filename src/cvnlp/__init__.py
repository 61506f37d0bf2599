"""Image classifiers and language models, trained in one pipeline of DVC, MLflow and PyTorch Lightning.

`cvnlp.load("cnn")` loads a trained model: an `ImageClassifier` or a `LanguageModel`.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cvnlp.serving.loading import load

__all__ = ["load"]


def __getattr__(name: str) -> Any:
    """Import `load` when it is first used: most commands need nothing of it."""
    if name == "load":
        return importlib.import_module("cvnlp.serving.loading").load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
