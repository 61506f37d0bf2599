"""Export a trained model as a folder that others can use."""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from cvnlp import domains, files
from cvnlp.catalogue import SOURCES
from cvnlp.export import FORMATS, WRITERS, new_folder
from cvnlp.export.readme import Origin, write_readme
from cvnlp.networks import CONFIG, WEIGHTS, parameter_count
from cvnlp.params import read_params
from cvnlp.params.datasets import LanguageDataset, VisionDataset
from cvnlp.paths import ProjectPaths
from cvnlp.serving.loading import find_model, load

if TYPE_CHECKING:
    from cvnlp.language.serving import LanguageModel
    from cvnlp.vision.serving import ImageClassifier

UNKNOWN_DATA = "Not stated: the model was exported from its folder, without the project in which it was trained."


def export(model: str | os.PathLike[str], target: Path, *, form: str = "safetensors", root: Path = Path()) -> Path:
    """Export the model of a run in `root`, or of a folder, in one of FORMATS into the new folder `target`.

    The folder appears when it is complete and the outputs of its file equal those of the network. ValueError if the
    folder exists and is not empty, or the format lacks an operation of the network.
    """
    if form not in FORMATS:
        raise ValueError(f"{form!r} is no format; valid choices: {', '.join(FORMATS)}")
    source = find_model(model, root)
    with new_folder(target) as folder:
        loaded = load(source)
        half = domains.DOMAINS[loaded.config.domain]
        description = half.serving.describe(loaded)
        portable = half.serving.portable(loaded) if form in WRITERS else None
        if portable is None:
            _copy(source, folder)
        else:
            WRITERS[form](portable, folder)
            files.write_json(folder / description.labels[0], description.labels[1])
        write_readme(folder, _origin(source, loaded, root), description, form, portable=portable)
    return target


def _copy(source: Path, folder: Path) -> None:
    for name in (WEIGHTS, CONFIG):
        shutil.copyfile(source / name, folder / name)


def _origin(source: Path, model: "ImageClassifier | LanguageModel", root: Path) -> Origin:
    name = source.resolve().name
    return Origin(name, model.config.options.name, parameter_count(model.network), _training_data(source, root))


def _training_data(source: Path, root: Path) -> str:
    """Source, licence and citation, of a model in the folder of a run."""
    project = ProjectPaths(root)
    if source.resolve().parent != project.models.resolve() or not project.params.is_file():
        return UNKNOWN_DATA
    settings = read_params(project.params)
    if source.name not in settings.runs:
        return UNKNOWN_DATA
    dataset = settings.runs[source.name].dataset
    block = settings.all_datasets[dataset]
    if not isinstance(block, VisionDataset | LanguageDataset):
        return f"The data set `{dataset}` of the user's own files; their licence is not known."
    entry = SOURCES[block.source]
    return f"{entry.title} (`{block.source}`). Licence: {entry.licence}. Citation: {entry.citation}. {entry.homepage}"
