"""`cvnlp export`: a trained model as a folder for other programs."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cvnlp.cli import model_folder
from cvnlp.cli.options import Root, Run


class ModelFormat(StrEnum):
    """Formats of an exported model."""

    SAFETENSORS = "safetensors"
    ONNX = "onnx"
    PT2 = "pt2"


def export(
    run: Run,
    target: Annotated[Path, typer.Argument(metavar="DIR", help="The new folder.")],
    *,
    form: Annotated[ModelFormat, typer.Option("--format", help="Of the model's file.")] = ModelFormat.SAFETENSORS,
    root: Root = Path(),
) -> None:
    """Export a trained model as a folder that others can use.

    safetensors: weights and config.json, for cvnlp.load. onnx: for ONNX Runtime and others; pt2: for torch.export.load;
    both have the scaling and normalisation of pictures inside, and their outputs are compared with those of the network
    before the folder appears. A README.md describes inputs, outputs and training data, with an example in Python.
    """
    from cvnlp.serving.export import export as export_model

    folder = export_model(model_folder.find(run, root), target, form=form.value, root=root)
    names = ", ".join(sorted(path.name for path in folder.iterdir()))
    print(f"{folder}: {names}")
