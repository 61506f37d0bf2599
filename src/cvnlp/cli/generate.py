"""`cvnlp generate`: text generation with a trained language model."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from cvnlp.paths import ProjectPaths

if TYPE_CHECKING:
    from cvnlp.data.prepared import LanguageFacts
    from cvnlp.language.inference.generation import Sampling


def add_generate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "generate",
        help="generate text with a trained language model",
        description="Continue a prompt with the language model of RUN, token by token; Ctrl-C ends it. The prompt is "
        "tokenised like the run's data set and printed as the model receives it.",
        epilog="A prompt of two lines, in bash: --prompt $'KING:\\nMy lord'.",
    )
    parser.add_argument("run", metavar="RUN", help="a run of params.yaml that trains a language model")
    parser.add_argument("--prompt", type=_text, default="", metavar="TEXT", help="the text to continue (default: none)")
    parser.add_argument("--tokens", type=_integer(1), default=400, help="characters or words (default: %(default)s)")
    parser.add_argument(
        "--temperature",
        type=float,
        default=0.8,
        help="divides the logits; 1: as learned, lower: more conservative, 0: the most likely token (%(default)s)",
    )
    parser.add_argument("--top-k", type=int, metavar="K", help="sample from the K most likely tokens only")
    parser.add_argument(
        "--top-p", type=float, metavar="P", help="sample from the smallest set of tokens with total probability P"
    )
    parser.add_argument(
        "--seed", type=_integer(0, 2**32 - 1), default=1, help="equal seeds give equal texts (default: %(default)s)"
    )
    parser.add_argument("--unknown", action="store_true", help="allow the unknown token")
    parser.add_argument("--root", type=Path, default=Path(), help="folder of params.yaml (default: the current one)")
    parser.set_defaults(command=generate)


def generate(
    run: str,
    *,
    prompt: str,
    tokens: int,
    seed: int,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    unknown: bool,
    root: Path,
) -> None:
    """Print the prompt and its continuation; tokens outside the vocabulary are a warning."""
    trained = _find_trained(run, ProjectPaths(root))

    from cvnlp.language.inference.detokenise import stream_text
    from cvnlp.language.inference.generation import Sampling
    from cvnlp.language.inference.prompt import read_prompt

    sampling = Sampling(temperature=temperature, top_k=top_k, top_p=top_p, unknown=unknown)
    ids, missing = read_prompt(prompt, trained.vocabulary, trained.facts)
    if missing:
        print(f"warning: not in the vocabulary of {run}: {', '.join(map(repr, missing))}", file=sys.stderr)
    continued = _continue(trained, ids, sampling, tokens=tokens, seed=seed)
    _print(stream_text(chain(ids, continued), trained.vocabulary, trained.facts))


@dataclass(frozen=True)
class _Trained:
    """A trained run: the folder of its model, and the facts and the vocabulary of its data."""

    model: Path
    facts: "LanguageFacts"
    vocabulary: list[str]


def _find_trained(run: str, project: ProjectPaths) -> _Trained:
    """ValueError with the trained language runs if `run` is none of them."""
    from cvnlp import files
    from cvnlp.data.prepared import LanguageFacts, read_facts
    from cvnlp.params import read_params
    from cvnlp.params.runs import LanguageRun

    blocks = read_params(project.params).runs
    runs = {name: project.run(name, block.dataset) for name, block in blocks.items() if isinstance(block, LanguageRun)}
    trained = {name: paths for name, paths in runs.items() if (paths.model / "config.json").is_file()}
    if run not in trained:
        state = f"is not trained: `dvc repro train@{run}`" if run in runs else f"is no language run of {project.params}"
        raise ValueError(f"{run!r} {state}; trained language runs: {', '.join(trained) or 'none'}")
    paths = trained[run]
    facts = read_facts(paths.prepared, LanguageFacts)
    return _Trained(paths.model, facts, files.read_json(paths.prepared / "vocabulary.json"))


def _continue(trained: _Trained, ids: list[int], sampling: "Sampling", *, tokens: int, seed: int) -> Iterator[int]:
    """Yield the ids of generated tokens; ValueError if the model belongs to other data."""
    from cvnlp import networks
    from cvnlp.language.inference.generation import stream
    from cvnlp.language.models import Network
    from cvnlp.params.network_config import TextFormat

    network, config = networks.load(trained.model)
    if not isinstance(network, Network) or config.data != TextFormat(vocabulary_size=len(trained.vocabulary)):
        raise ValueError(f"{trained.model} was trained on other data than those now prepared: run `dvc repro`")
    for drawn in stream(network, trained.facts.start, tokens=tokens, sampling=sampling, seed=seed, prompt=ids):
        yield int(drawn)


def _print(pieces: Iterator[str]) -> None:
    """Print each piece when it arrives, and a final newline, also after an interrupt."""
    last = "\n"
    try:
        for last in pieces:
            print(last, end="", flush=True)
    finally:
        print(end="" if last.endswith("\n") else "\n", flush=True)


def _text(argument: str) -> str:
    """An argument type for text in UTF-8, also where Python has read the command line as ASCII."""
    if not any("\ud800" <= letter <= "\udfff" for letter in argument):  # bytes that Python could not decode
        return argument
    try:
        return os.fsencode(argument).decode("utf-8")
    except UnicodeError:
        raise argparse.ArgumentTypeError(f"{argument!r} is not UTF-8") from None


def _integer(minimum: int, maximum: int | None = None) -> Callable[[str], int]:
    """An argument type for integers in a range."""

    def parse(text: str) -> int:
        if text.isdecimal() and minimum <= int(text) and (maximum is None or int(text) <= maximum):
            return int(text)
        limits = f"of at least {minimum}" if maximum is None else f"from {minimum} to {maximum}"
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer {limits}")

    return parse
