"""Start a training without the parts of torchmetrics that it does not use.

Lightning needs two classes of torchmetrics. Its package imports all metrics at once, with torchvision and scipy.signal:
a quarter of the time that a training takes to start. Here the package is completed when another of its names is used.
"""

import importlib.util
import logging
import sys
from importlib import metadata
from types import ModuleType
from typing import Any

NAME = "torchmetrics"
USED = ("Metric", "MetricCollection")  # by Lightning


def install() -> None:
    """Make `import torchmetrics` load only what is used; nothing happens if it is already imported."""
    spec = importlib.util.find_spec(NAME)
    if NAME in sys.modules or spec is None:
        return
    package = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = package
    names: dict[str, Any] = {"__version__": metadata.version(NAME), "_logger": logging.getLogger(NAME)}
    vars(package).update(names, __getattr__=lambda name: _load(package, name))


def _load(package: ModuleType, name: str) -> Any:
    """A name that the package does not have yet: one of those used, or after the package's own __init__ any other."""
    if name in USED:
        from torchmetrics.utilities import checks  # noqa: F401  # first, as in the package's __init__

        # isort: split
        from torchmetrics.collections import MetricCollection
        from torchmetrics.metric import Metric

        vars(package).update(Metric=Metric, MetricCollection=MetricCollection)
    elif not name.startswith("__") and vars(package).pop("__getattr__", None):
        spec = package.__spec__
        if spec is not None and spec.loader is not None:
            spec.loader.exec_module(package)
    if name in vars(package):
        return vars(package)[name]
    raise AttributeError(f"module {NAME!r} has no attribute {name!r}")
