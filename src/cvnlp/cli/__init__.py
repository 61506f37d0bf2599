"""The command `cvnlp`: the pipeline, trained models in use, and everything around them."""

import os
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from cvnlp import files
from cvnlp.cli import attack, check, clean, compare, datasets, errors, export, generate, perplexity, predict, repro, ui

app = typer.Typer(
    name="cvnlp",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
# heading of the help -> its commands
COMMANDS: dict[str, tuple[Callable[..., None], ...]] = {
    "The pipeline": (repro.repro, check.check, datasets.datasets, clean.clean),
    "Trained models": (predict.predict, attack.attack, generate.generate, perplexity.perplexity, export.export),
    "More": (compare.compare, ui.ui),
}
for heading, commands in COMMANDS.items():
    for command in commands:
        app.command(rich_help_panel=heading)(errors.reported(command))


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the whole trace of an error.")] = False,
) -> None:
    """Image classifiers and language models in one pipeline: train, compare, attack, explain and use them."""
    if debug:
        os.environ[errors.DEBUG] = "1"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command, and end the process: 0, 1 for bad input, 2 for a wrong command line, 130 after Ctrl-C."""
    files.print_any_text()
    app(None if arguments is None else list(arguments), prog_name="cvnlp")
