"""Load a trained model by the name of its run or by its folder."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from cvnlp.params import read_params
from cvnlp.paths import ProjectPaths

if TYPE_CHECKING:
    from cvnlp.language.serving import LanguageModel
    from cvnlp.vision.serving import ImageClassifier

CONFIG = "config.json"


def find_model(model: str | os.PathLike[str], root: Path = Path(), *, half: str | None = None) -> Path:
    """The folder of a model: `model` itself, or that of the run of this name in the project `root`.

    ValueError with the trained runs, only those of `half` if it is given, if there is no such model.
    """
    if (Path(model) / CONFIG).is_file():
        return Path(model)
    project, kind = ProjectPaths(root), f"{half} run" if half else "run"
    runs = {name for name, block in read_params(project.params).runs.items() if half in (None, block.domain)}
    trained = sorted(name for name in runs if (project.models / name / CONFIG).is_file())
    if str(model) in trained:
        return project.models / str(model)
    state = f"is not trained: `dvc repro train@{model}`" if str(model) in runs else f"is no {kind} of {project.params}"
    raise ValueError(f"{str(model)!r} {state}; trained {kind}s: {', '.join(trained) or 'none'}")


def load_classifier(folder: Path, *, inverted: bool = False) -> "ImageClassifier":
    """The image classifier in `folder`; `inverted`: light and dark of picture files change places."""
    from cvnlp.vision.serving import ImageClassifier

    model = load(folder)
    if not isinstance(model, ImageClassifier):
        raise ValueError(f"{folder} is no image classifier")
    model.inverted = inverted
    return model


def load_language_model(folder: Path) -> "LanguageModel":
    """The language model in `folder`."""
    from cvnlp.language.serving import LanguageModel

    model = load(folder)
    if not isinstance(model, LanguageModel):
        raise ValueError(f"{folder} is no language model")
    return model


def load(model: str | os.PathLike[str], *, root: str | os.PathLike[str] = ".") -> "ImageClassifier | LanguageModel":
    """Load a trained model: by the folder of model.safetensors and config.json, or by the name of a run in `root`.

    ValueError if it does not exist, is damaged, or was trained by an older version.
    """
    folder = find_model(model, Path(root))

    from cvnlp import domains, networks

    network, config = networks.load(folder)
    try:
        return domains.DOMAINS[config.domain].serving.Model(network, config)
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from None
