"""The web application of a model: its routes, state, pages, and errors as JSON with a reason."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from cvnlp import domains, provenance
from cvnlp.networks import parameter_count
from cvnlp.serving import pages
from cvnlp.serving.body_limit import MAX_BODY, BodyLimit

if TYPE_CHECKING:
    from cvnlp.language.serving import LanguageModel
    from cvnlp.vision.serving import ImageClassifier

SHOWN_ERRORS = 3  # of one request
LONGEST_ERROR = 2000  # characters


class Health(BaseModel):
    """`digest`: SHA-256 of the files of the model; `uptime`: seconds since the server has started."""

    status: str
    model: str
    network: str
    digest: str
    uptime: float


def create_app(
    model: "ImageClassifier | LanguageModel", folder: Path, *, name: str, max_body: int = MAX_BODY
) -> FastAPI:
    """The application of a model from `folder`, shown under this `name`."""
    # FastAPI's own page of documentation loads scripts from another server
    app = FastAPI(title=name, docs_url=None, redoc_url=None)
    room = domains.DOMAINS[model.config.domain].serving
    app.include_router(room.routes(model))
    network = model.config.options.name
    _add_health(app, Health(status="ok", model=name, network=network, digest=provenance.model_digest(folder), uptime=0))
    about = f"{network}, {parameter_count(model.network):,} parameters"
    _add_pages(app, pages.try_page(room.PAGE, title=name, about=about))
    _add_error_handlers(app)
    app.add_middleware(BodyLimit, limit=max_body)
    return app


def _add_health(app: FastAPI, state: Health) -> None:
    started = time.monotonic()

    @app.get("/health")
    async def health() -> Health:
        """The model, and how long the server has been running."""
        return state.model_copy(update={"uptime": time.monotonic() - started})


def _add_pages(app: FastAPI, page: HTMLResponse) -> None:
    @app.get("/", include_in_schema=False)
    async def try_page() -> HTMLResponse:
        return page

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return pages.docs_page(app.openapi())


def _add_error_handlers(app: FastAPI) -> None:
    """Every error is JSON with a text at `error`. A ValueError is a mistake of the client."""

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        detail: Any = error.detail
        return _error(error.status_code, detail if isinstance(detail, dict) else {"error": detail}, error.headers)

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        return _error(422, {"error": _explain(error.errors())})

    @app.exception_handler(ValueError)
    async def invalid(request: Request, error: ValueError) -> JSONResponse:
        return _error(422, {"error": _explain(error.errors()) if isinstance(error, ValidationError) else str(error)})

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> JSONResponse:
        return _error(500, {"error": "the server has failed; its log says why"})


def _error(status: int, content: dict[str, Any], headers: Mapping[str, str] | None = None) -> JSONResponse:
    """`content` may quote the request, also text that is no valid Unicode and very long."""
    text = content["error"].encode("utf-8", "backslashreplace").decode()
    shown = text if len(text) <= LONGEST_ERROR else f"{text[:LONGEST_ERROR]}..."
    return JSONResponse(content | {"error": shown}, status, headers=dict(headers or {}))


def _explain(errors: Sequence[Any]) -> str:
    """The first errors of pydantic, each with its place in the request."""
    places = [".".join(str(step) for step in error["loc"] if step != "body") for error in errors]
    texts = [f"{place}: {error['msg']}" if place else error["msg"] for place, error in zip(places, errors, strict=True)]
    more = len(texts) - SHOWN_ERRORS
    return "; ".join(texts[:SHOWN_ERRORS]) + (f"; and {more} more" if more > 0 else "")
