"""`cvnlp serve`: a trained model as a web service."""

from pathlib import Path
from typing import Annotated

import typer

from cvnlp.cli import model_folder
from cvnlp.cli.options import Root, Run

HOST, PORT = "127.0.0.1", 8000


def serve(
    run: Run,
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one, which is printed.")] = PORT,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0: open to other machines.")] = HOST,
    log: Annotated[bool, typer.Option("--log", help="Print a line for every request.")] = False,
    root: Root = Path(),
) -> None:
    """Serve a trained model over HTTP.

    With a page to try it, and an interface for programs: /predict for image classifiers, /generate and /perplexity for
    language models, /docs for both. Ctrl-C ends it.
    """
    folder = model_folder.find(run, root)  # before torch is imported

    from cvnlp.serving import server

    server.serve(folder, name=Path(run).name, host=host, port=port, access_log=log)
