"""A trained image classifier as its users call it: pictures in, class names and probabilities out."""

from pathlib import Path
from typing import TYPE_CHECKING

from cvnlp.vision.serving.classifier import ImageClassifier, Prediction
from cvnlp.vision.serving.table import answer_table

if TYPE_CHECKING:
    from fastapi import APIRouter

    from cvnlp.export.portable import Description, Portable

Model = ImageClassifier
PAGE = Path(__file__).parent / "page"  # form and script of the server's page


def routes(model: ImageClassifier) -> "APIRouter":
    """The HTTP interface of the model."""
    from cvnlp.vision.serving.http import make_router  # only a server needs FastAPI

    return make_router(model)


def portable(model: ImageClassifier) -> "Portable":
    """The model as tensors in and tensors out, for export. ValueError if that is impossible."""
    from cvnlp.vision.serving.portable_model import make_portable  # only an export needs its packages

    return make_portable(model)


def describe(model: ImageClassifier) -> "Description":
    """The model for the README of its exported folder."""
    from cvnlp.vision.serving.portable_model import make_description

    return make_description(model)


__all__ = ["PAGE", "ImageClassifier", "Model", "Prediction", "answer_table", "describe", "portable", "routes"]
