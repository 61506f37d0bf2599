"""`cvnlp generate`: a trained language model writes on what the user begins."""

import argparse
import sys
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any


def add_generate(commands: Any) -> None:
    parser = commands.add_parser(
        "generate",
        help="let a trained language model write",
        description="Let the language model of RUN write on after a prompt, token by token; Ctrl-C ends it. The prompt "
        "is cut into tokens as the data of the run was, and shown as the model reads it.",
        epilog="A prompt of two lines, in bash: --prompt $'KING:\\nMy lord'.",
    )
    parser.add_argument("run", metavar="RUN", help="a run of params.yaml that trains a language model")
    parser.add_argument("--prompt", default="", metavar="TEXT", help="what the text begins with (nothing)")
    parser.add_argument("--tokens", type=_whole(1), default=400, help="characters or words to write (%(default)s)")
    parser.add_argument(
        "--temperature",
        type=float,
        default=0.8,
        help="1: as it learned; below: more carefully; 0: always the likeliest token (%(default)s)",
    )
    parser.add_argument("--top-k", type=int, metavar="K", help="draw from the K likeliest tokens alone")
    parser.add_argument(
        "--top-p", type=float, metavar="P", help="draw from the fewest tokens that have the probability P together"
    )
    parser.add_argument("--seed", type=_whole(0, 2**32 - 1), default=1, help="the same writes the same (%(default)s)")
    parser.add_argument("--unknown", action="store_true", help="let it write the unknown token, too")
    for name, default in {"params": "params.yaml", "models": "data/models", "prepared": "data/prepared"}.items():
        parser.add_argument(f"--{name}", type=Path, default=default, metavar="PATH", help="(%(default)s)")
    parser.set_defaults(command=generate)


def generate(run: str, prompt: str, params: Path, models: Path, prepared: Path, **options: Any) -> None:
    """Write the prompt and what follows to the terminal; what the model does not know of it, as a warning."""
    from cvnlp import files
    from cvnlp.data.prepared import LanguageFacts, read_facts
    from cvnlp.language.inference.detokenise import write
    from cvnlp.language.inference.prompt import read_prompt

    data = prepared / _dataset(run, params, models)
    about, vocabulary = read_facts(data, LanguageFacts), files.read_json(data / "vocabulary.json")
    begun, unknown = read_prompt(prompt, vocabulary, about)
    if unknown:
        print(f"warning: unknown to {run}: {', '.join(map(repr, unknown))}", file=sys.stderr)
    continued = _continue(models / run, begun, about.start, vocabulary_size=len(vocabulary), **options)
    _show(write(chain(begun, continued), vocabulary, about))


def _dataset(run: str, params: Path, models: Path) -> str:
    """The data set of a language model that is trained; ValueError with those that are."""
    from cvnlp.params import read_params
    from cvnlp.params.runs import LanguageRun

    blocks = read_params(params).runs
    runs = {name: block for name, block in blocks.items() if isinstance(block, LanguageRun)}
    trained = [name for name in runs if (models / name / "config.json").is_file()]
    if run not in trained:
        state = f"is not trained: `dvc repro train@{run}`" if run in runs else f"is no language run of {params}"
        raise ValueError(f"{run!r} {state}; trained language runs: {', '.join(trained) or 'none'}")
    return runs[run].dataset


def _continue(
    model: Path, begun: list[int], start: int, *, vocabulary_size: int, tokens: int, seed: int, **sampling: Any
) -> Iterator[int]:
    from cvnlp import networks
    from cvnlp.language.inference.generation import Sampling, stream
    from cvnlp.language.models import Network
    from cvnlp.params.network_config import TextFormat

    way = Sampling(**sampling)
    network, config = networks.load(model)
    if not isinstance(network, Network) or config.data != TextFormat(vocabulary_size=vocabulary_size):
        raise ValueError(f"{model} was trained for other data than are prepared now: run `dvc repro`")
    for drawn in stream(network, start, tokens=tokens, sampling=way, seed=seed, prompt=begun):
        yield int(drawn)


def _show(pieces: Iterator[str]) -> None:
    """Each as it comes; an interrupted text ends its line, too."""
    last = "\n"
    try:
        for last in pieces:
            print(last, end="", flush=True)
    finally:
        print(end="" if last.endswith("\n") else "\n", flush=True)


def _whole(least: int, most: int | None = None) -> Callable[[str], int]:
    def number(text: str) -> int:
        if text.isdecimal() and least <= int(text) and (most is None or int(text) <= most):
            return int(text)
        limits = f"from {least} on" if most is None else f"from {least} to {most}"
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number {limits}")

    return number
