"""`cvnlp demo`: the trained networks in a page that runs them in the browser."""

from pathlib import Path
from typing import Annotated

import typer

from cvnlp.cli.options import Root

HOST, PORT = "127.0.0.1", 8001


def demo(
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUN]...", help="Trained runs of params.yaml.", show_default="all"),
    ] = None,
    *,
    out: Annotated[Path | None, typer.Option(help="Folder of the page.", show_default="data/demo")] = None,
    build_only: Annotated[bool, typer.Option("--build-only", help="Write the folder, and serve nothing.")] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one, which is printed.")] = PORT,
    root: Root = Path(),
) -> None:
    """Try the trained networks in a page.

    Draw a picture and follow it through the layers, attack it, step through a convolution, continue a text. Writes a
    folder of static files, in which the networks run in the browser, and serves it on this machine until Ctrl-C.
    """
    from cvnlp.paths import ProjectPaths

    folder = out or ProjectPaths(root).demo

    from cvnlp.demo.build import build

    built = build(folder, runs or [], root=root)
    for run, reason in built.skipped.items():
        print(f"left out: {run}: {reason}")
    print(f"{folder}: {len(built.runs)} runs, {built.bytes / 1e6:.1f} MB")
    if not build_only:
        from cvnlp.demo import server

        server.serve(folder, host=HOST, port=port)
