"""`cvnlp perplexity`: score texts with a trained language model."""

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvnlp.cli import model_folder
from cvnlp.cli.options import Json, Root, Run

if TYPE_CHECKING:
    from cvnlp.language.serving import LanguageModel, TextScore

STANDARD_INPUT = "-"


def perplexity(
    run: Run,
    texts: Annotated[list[str], typer.Argument(metavar="FILE...", help="Text files; - reads standard input.")],
    *,
    per_token: Annotated[bool, typer.Option("--per-token", help="CSV with the nats of every token.")] = False,
    encoding: Annotated[str | None, typer.Option(help="Of all files.", show_default="detected for each file")] = None,
    as_json: Json = False,
    root: Root = Path(),
) -> None:
    """Score texts: nats per token and perplexity of each file and of all.

    Each file is read from its beginning, with the tokeniser and vocabulary of the run. Perplexity is weighted by
    token. A file that cannot be read is named, the others are scored, and the exit code is 1.
    """
    from cvnlp.serving.loading import load_language_model

    model = load_language_model(model_folder.find(run, root, half="language"))
    scored = _Scored(model, encoding)
    if per_token:
        _print_tokens(scored.of(texts), model)
    else:
        _print_scores([(name, model.score(*found)) for name, found in scored.of(texts)], scored, as_json=as_json)
    if scored.failed:
        raise typer.Exit(1)


class _Scored:
    """The tokens and nats of files, and what failed."""

    def __init__(self, model: "LanguageModel", encoding: str | None) -> None:
        self.model, self.encoding = model, encoding
        self.failed: dict[str, str] = {}
        self.all: list[tuple[Any, Any]] = []

    def of(self, names: list[str]) -> Iterator[tuple[str, tuple[Any, Any]]]:
        """The name, and ids and nats of the tokens, of each file that can be read."""
        from tqdm import tqdm

        from cvnlp.data.user_files import UnreadableFileError, printable
        from cvnlp.language.data.decoding import decode

        for name in tqdm(names, unit=" files", leave=False, disable=None if len(names) > 1 else True):
            try:
                content = sys.stdin.buffer.read() if name == STANDARD_INPUT else Path(name).read_bytes()
                found = self.model.token_nats(decode(content, self.encoding).text)
            except (UnreadableFileError, OSError, LookupError) as error:
                self.failed[name] = error.strerror or str(error) if isinstance(error, OSError) else str(error)
                tqdm.write(f"error: {printable(name)}: {self.failed[name]}", file=sys.stderr)
                continue
            self.all.append(found)
            yield printable(name), found

    def total(self) -> "TextScore":
        """The score of all tokens together."""
        import numpy as np

        ids, nats = (np.concatenate(parts) for parts in zip(*self.all, strict=True))
        return self.model.score(ids, nats)


def _print_tokens(found: Iterator[tuple[str, tuple[Any, Any]]], model: "LanguageModel") -> None:
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(["file", "position", "token", "nats"])
    for name, (ids, nats) in found:
        table.writerows(
            [name, place, model.vocabulary[token], f"{value:.6g}"]
            for place, (token, value) in enumerate(zip(ids.tolist(), nats.tolist(), strict=True))
        )


def _print_scores(scores: "list[tuple[str, TextScore]]", scored: _Scored, *, as_json: bool) -> None:
    rows = [_row(name, score) for name, score in scores]
    total = _row("all", scored.total()) if scored.all else None
    if as_json:
        print(json.dumps({"files": rows, "all": total, "errors": scored.failed}, indent=1, ensure_ascii=False))
        return
    from tabulate import tabulate

    shown = rows if len(rows) == 1 or total is None else [*rows, total]
    if shown:
        print(tabulate(shown, headers="keys", floatfmt=".4f", intfmt=",", disable_numparse=[0]))


def _row(name: str, score: "TextScore") -> dict[str, str | int | float]:
    return {
        "file": name,
        "tokens": score.tokens,
        "nats_per_token": score.nats_per_token,
        "perplexity": score.perplexity,
        "unknown_share": score.unknown_share,
    }
