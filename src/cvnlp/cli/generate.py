"""`cvnlp generate`: text generation with a trained language model."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from cvnlp.cli import model_folder
from cvnlp.cli.options import Root, Run, Seed


def _text(argument: str) -> str:
    """Text in UTF-8, also where Python has read the command line as ASCII."""
    if not any("\ud800" <= letter <= "\udfff" for letter in argument):  # bytes that Python could not decode
        return argument
    try:
        return os.fsencode(argument).decode("utf-8")
    except UnicodeError:
        raise typer.BadParameter(f"{argument!r} is not UTF-8") from None


def generate(
    run: Run,
    *,
    prompt: Annotated[str, typer.Option(parser=_text, metavar="TEXT", help="The text to continue.")] = "",
    tokens: Annotated[int, typer.Option(min=1, help="Number of characters or words.")] = 400,
    temperature: Annotated[
        float,
        typer.Option(help="Divides the logits; 1: as learned, lower: more conservative, 0: the most likely token."),
    ] = 0.8,
    top_k: Annotated[int | None, typer.Option(metavar="K", help="Sample from the K most likely tokens only.")] = None,
    top_p: Annotated[
        float | None,
        typer.Option(metavar="P", help="Sample from the smallest set of tokens with total probability P."),
    ] = None,
    seed: Seed = 1,
    unknown: Annotated[bool, typer.Option("--unknown", help="Allow the unknown token.")] = False,
    root: Root = Path(),
) -> None:
    r"""Continue a prompt with a trained language model.

    Token by token, until Ctrl-C ends it. The prompt is tokenised like the run's data set and printed as the model
    receives it; a warning names its tokens outside the vocabulary. In bash, a prompt of two lines is $'KING:\nMy lord'.
    """
    from cvnlp.serving.loading import load_language_model

    folder = model_folder.find(run, root, half="language")  # before torch is imported

    from cvnlp.language.inference.generation import Sampling

    sampling = Sampling(temperature=temperature, top_k=top_k, top_p=top_p, unknown=unknown)
    model = load_language_model(folder)
    if missing := model.read(prompt)[1]:
        print(f"warning: not in the vocabulary of {run}: {', '.join(map(repr, missing))}", file=sys.stderr)
    _print(model.stream(prompt, tokens=tokens, sampling=sampling, seed=seed, with_prompt=True))


def _print(pieces: Iterator[str]) -> None:
    """Print each piece when it arrives, and a final newline, also after an interrupt."""
    last = "\n"
    try:
        for last in pieces:
            print(last, end="", flush=True)
    finally:
        print(end="" if last.endswith("\n") else "\n", flush=True)
