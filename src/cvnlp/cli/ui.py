"""`cvnlp ui`: show the runs in MLflow's pages."""

import argparse

PORT = 5000


def add_ui(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "ui",
        help="show the runs in MLflow",
        description="Serve MLflow's pages of this project's runs on this machine, and print the link. If "
        "MLFLOW_TRACKING_URI is the address of a server, only print the link to the runs there.",
    )
    parser.add_argument("--port", type=int, default=PORT, help=f"port of the pages on this machine (default: {PORT})")
    parser.set_defaults(command=show)


def show(*, port: int) -> None:
    """Print the link; serve the pages until Ctrl-C, unless there is a server."""
    from cvnlp.tracking import pages

    pages.show(port=port)
