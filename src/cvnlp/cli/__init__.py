"""The command `cvnlp`: the pipeline, trained models in use, and everything around them."""

import os
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from cvnlp import files
from cvnlp.cli import (
    attack,
    check,
    clean,
    compare,
    datasets,
    doctor,
    errors,
    export,
    generate,
    init,
    models,
    perplexity,
    predict,
    promotion,
    repro,
    runs,
    serve,
    ui,
)

app = typer.Typer(
    name="cvnlp",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
# heading of the help -> its commands
COMMANDS: dict[str, tuple[Callable[..., None], ...]] = {
    "The pipeline": (init.init, repro.repro, runs.runs, check.check, models.models, datasets.datasets, clean.clean),
    "Trained models": (
        predict.predict,
        attack.attack,
        generate.generate,
        perplexity.perplexity,
        serve.serve,
        compare.compare,
        export.export,
    ),
    "Registry": (promotion.registry, promotion.promote, promotion.rollback),
    "More": (ui.ui, doctor.doctor),
}


def _paragraphs(docstring: str | None) -> str:
    """The paragraphs of a docstring, each as one line: the terminal has a width of its own."""
    return "\n\n".join(" ".join(part.split()) for part in (docstring or "").split("\n\n"))


for heading, commands in COMMANDS.items():
    for command in commands:
        app.command(rich_help_panel=heading, help=_paragraphs(command.__doc__))(errors.reported(command))


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the whole trace of an error.")] = False,
) -> None:
    """Image classifiers and language models in one pipeline: train, compare, attack, explain and use them."""
    if debug:
        os.environ[errors.DEBUG] = "1"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; SystemExit with 1 for bad input, 2 for a wrong command line, 130 after Ctrl-C."""
    files.print_any_text()
    try:
        app(None if arguments is None else list(arguments), prog_name="cvnlp")
    except SystemExit as end:  # typer ends the process after every command
        if end.code:
            raise
