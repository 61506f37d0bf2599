"""A trained language model as its users call it: text in, text or perplexity out."""

from pathlib import Path
from typing import TYPE_CHECKING

from cvnlp.language.serving.language_model import LanguageModel, TextScore
from cvnlp.language.serving.table import answer_table

if TYPE_CHECKING:
    from fastapi import APIRouter

    from cvnlp.export.portable import Description, Portable

Model = LanguageModel
PAGE = Path(__file__).parent / "page"  # form and script of the server's page


def routes(model: LanguageModel) -> "APIRouter":
    """The HTTP interface of the model."""
    from cvnlp.language.serving.http import make_router  # only a server needs FastAPI

    return make_router(model)


def portable(model: LanguageModel) -> "Portable":
    """The model as tensors in and tensors out, for export. ValueError if that is impossible."""
    from cvnlp.language.serving.portable_model import make_portable  # only an export needs its packages

    return make_portable(model)


def describe(model: LanguageModel) -> "Description":
    """The model for the README of its exported folder."""
    from cvnlp.language.serving.portable_model import make_description

    return make_description(model)


__all__ = ["PAGE", "LanguageModel", "Model", "TextScore", "answer_table", "describe", "portable", "routes"]
