"""Serve the folder of the demo page on this machine."""

import mimetypes
from pathlib import Path

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from cvnlp.serving import server


class PageFiles(StaticFiles):
    """Static files that the browser asks for again, so that a page that was rebuilt is shown."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


def make_app(folder: Path) -> Starlette:
    """The application that serves `folder`."""
    mimetypes.add_type("text/javascript", ".js")  # some systems have another type, which browsers refuse
    return Starlette(routes=[Mount("/", PageFiles(directory=folder, html=True))])


def serve(folder: Path, *, host: str, port: int, access_log: bool = False) -> None:
    """Serve the page until Ctrl-C and print its address; OSError if the port is in use."""
    server.run(lambda: make_app(folder), name="demo", host=host, port=port, access_log=access_log)
