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
    demo,
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
    schema,
    serve,
    tune,
    ui,
)

app = typer.Typer(
    name="cvnlp",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # importing rich for the help alone would double the time of `cvnlp --help`
    context_settings={"help_option_names": ["-h", "--help"]},
)
# in the order of the help: the pipeline, trained models, the registry, and the rest
COMMANDS: tuple[Callable[..., None], ...] = (
    *(
        init.init,
        repro.repro,
        tune.tune,
        runs.runs,
        check.check,
        schema.schema,
        models.models,
        datasets.datasets,
        clean.clean,
    ),
    *(predict.predict, attack.attack, generate.generate, perplexity.perplexity),
    *(compare.compare, export.export, serve.serve),
    *(promotion.registry, promotion.promote, promotion.rollback),
    *(ui.ui, demo.demo, doctor.doctor),
)
# what a command does before its first output, on a terminal
WAITING = {
    "attack": "searching for the smallest perturbation",
    "check": "reading params.yaml",
    "compare": "reading results, testing the difference",
    "doctor": "checking environment and project",
    "export": "converting the model, comparing the results",
    "generate": "loading the model",
    "init": "looking at the data",
    "perplexity": "loading the model",
    "predict": "loading the model",
    "promote": "opening the registry",
    "registry": "opening the registry",
    "rollback": "opening the registry",
    "runs": "comparing with params, data and code",
    "serve": "loading the model",
    "ui": "starting MLflow",
}


def _paragraphs(docstring: str | None) -> str:
    """The paragraphs of a docstring, each as one line: the terminal has a width of its own."""
    return "\n\n".join(" ".join(part.split()) for part in (docstring or "").split("\n\n"))


for command in COMMANDS:
    text = _paragraphs(command.__doc__)
    short = text.partition("\n")[0]  # in the list of commands; without it, typer would cut it off
    app.command(help=text, short_help=short)(errors.reported(command, WAITING.get(command.__name__)))


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
