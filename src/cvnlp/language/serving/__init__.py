"""A trained language model as its users call it: text in, text or perplexity out."""

from pathlib import Path
from typing import TYPE_CHECKING

from cvnlp.language.serving.language_model import LanguageModel, TextScore
from cvnlp.language.serving.table import answer_table

if TYPE_CHECKING:
    from fastapi import APIRouter

Model = LanguageModel
PAGE = Path(__file__).parent / "page"  # form and script of the server's page


def routes(model: LanguageModel) -> "APIRouter":
    """The HTTP interface of the model."""
    from cvnlp.language.serving.http import make_router  # only a server needs FastAPI

    return make_router(model)


__all__ = ["PAGE", "LanguageModel", "Model", "TextScore", "answer_table", "routes"]
