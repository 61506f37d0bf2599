"""A search and its trials in MLflow. Imports no MLflow."""

from collections.abc import Mapping

from cvnlp import provenance
from cvnlp.tracking.run_metadata import RunMetadata, describe
from cvnlp.tuning.setting import Setting


def metadata(setting: Setting, trial: int | None, values: Mapping[str, str]) -> RunMetadata:
    """Name, params and tags of a trial, or of the whole search: the params of the run with other values."""
    own = describe(setting.settings, setting.paths, provenance.training_tags(setting.study))
    name = f"tune {setting.run}" if trial is None else f"tune {setting.run}, trial {trial}"
    key = f"tune-{setting.run}" if trial is None else f"tune-{setting.run}-{trial}"  # no run has a name with a hyphen
    tags = own.tags | {"run": key, "tune": setting.run}
    return own.model_copy(update={"name": name, "params": own.params | dict(values), "tags": tags})
