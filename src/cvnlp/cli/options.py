"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

Root = Annotated[Path, typer.Option(help="Folder of params.yaml.", show_default="the current one")]
Run = Annotated[
    str, typer.Argument(metavar="RUN", help="A trained run of params.yaml, the folder of a model, or champion:DATASET.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Equal seeds give equal results.")]
