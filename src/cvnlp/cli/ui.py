"""`cvnlp ui`: show the runs in MLflow's pages."""

from typing import Annotated

import typer

PORT = 5000


def ui(port: Annotated[int, typer.Option(help="Port of the pages on this machine.")] = PORT) -> None:
    """Show the runs in MLflow.

    Serves MLflow's pages of this project on this machine until Ctrl-C, and prints the link. If MLFLOW_TRACKING_URI is
    the address of a server, only the link to the runs there is printed.
    """
    from cvnlp.tracking import pages

    pages.show(port=port)
