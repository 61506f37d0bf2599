"""Texts: from raw files to token ids on disk, with a vocabulary of the training text alone. Imports no torch.

One document is in memory at a time; each is read several times.
"""

from collections import Counter
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from cvnlp import files
from cvnlp.catalogue import SOURCES
from cvnlp.data import prepared
from cvnlp.language.data.copies import Copies, documents_of, repeated_lines
from cvnlp.language.data.own import read_own
from cvnlp.language.data.published import READERS
from cvnlp.language.data.splits import HeldOut, Splits, assign, carve, save_parts
from cvnlp.language.data.texts import Texts, pieces, survey
from cvnlp.language.data.tokens import TOKENISERS, Tokeniser
from cvnlp.language.data.vocabulary import build_vocabulary
from cvnlp.language.data.writing import Statistics, write_split

FREQUENT = 20  # tokens that the facts list
STATISTICS = (
    "documents",
    "characters",
    "lines",
    "longest_line",
    "counts",
    "unknown",
    "coverage",
    "out_of_vocabulary",
)


def prepare(
    raw: Path,
    folder: Path,
    *,
    seed: int,
    tokens: str,
    lowercase: bool,
    vocabulary_size: int | None,
    minimum_count: int,
    validation: list[str] | float | None,
    test: list[str] | float | None,
    duplicates: str,
    **reading: Any,
) -> dict[str, Any]:
    """Read, split, tokenise and write a data set; returns its facts.

    `reading` is `source`, of published texts fetched into `raw`, or what `read_own` takes for those that are `raw`.
    """
    tokeniser = TOKENISERS[tokens]
    texts, origin = _read(raw, **reading)
    texts = texts.in_lower_case() if lowercase else texts
    held_out: HeldOut = {"validation": validation, "test": test}
    anywhere = tokeniser.token_kind == "characters"
    splits, copies = _split(texts, held_out, folder, drop=duplicates == "drop", seed=seed, anywhere=anywhere)
    facts = {"domain": "language", **origin, **texts.facts, "duplicates": copies}
    facts |= {"tokens": tokens, "token_kind": tokeniser.token_kind, "lowercase": lowercase}
    facts |= _write(folder, texts, splits, tokeniser, size=vocabulary_size, minimum_count=minimum_count)
    prepared.save_facts(folder, facts, prepared.SPLITS)
    return facts


def _split(
    texts: Texts, held_out: HeldOut, folder: Path, *, drop: bool, seed: int, anywhere: bool
) -> tuple[Splits, dict[str, Any]]:
    """The parts of each split, and the facts of documents that are equal; tables of a user's own go into `folder`."""
    names = assign(texts, held_out)
    sizes, digests = survey(texts)
    copies = Copies(texts.documents, digests)
    kept = copies.without(names) if drop else names
    splits = carve(kept, texts, sizes, held_out, seed=seed, anywhere=anywhere)
    carved = documents_of(splits)
    if texts.skipped is not None:
        texts.skipped.save(folder / "skipped.csv")
        save_parts(folder / "documents.csv", splits)
        copies.save(folder / "duplicates.csv", names if drop else carved)
    dropped = {split: len(names[split]) - len(kept[split]) for split in names}
    return splits, {**copies.count(carved), "dropped": dict.fromkeys(prepared.SPLITS, 0) | dropped}


def _write(
    folder: Path, texts: Texts, splits: Splits, tokeniser: Tokeniser, *, size: int | None, minimum_count: int
) -> dict[str, Any]:
    """Write the arrays and the vocabulary; returns the facts of both."""
    running = pieces(texts, splits["train"], tokeniser.separator, "counting tokens")
    counts = tokeniser.count(chain.from_iterable(running))
    vocabulary = build_vocabulary(counts, tokeniser.line_end, size=size, minimum_count=minimum_count)
    found = {
        split: write_split(folder, split, texts, splits[split], tokeniser, vocabulary) for split in prepared.SPLITS
    }
    files.write_json(folder / "vocabulary.json", vocabulary)
    return _statistics(found) | {
        "start": vocabulary.index(tokeniser.line_end),
        "vocabulary_size": len(vocabulary),
        "types": len(counts),
        "frequent": _most_frequent(counts),
    }


def _most_frequent(counts: Counter[str]) -> list[list[str | int]]:
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [[token, count] for token, count in ranked[:FREQUENT]]


def _statistics(found: Mapping[str, Statistics]) -> dict[str, dict[str, Any]]:
    """Name -> split -> number."""
    lines = {split: np.concatenate(one.line_digests) for split, one in found.items()}
    return {name: {split: getattr(one, name) for split, one in found.items()} for name in STATISTICS} | {
        "repeated_lines": repeated_lines(lines)
    }


def _read(raw: Path, *, source: str | None = None, **own: Any) -> tuple[Texts, dict[str, str]]:
    """The texts, and the facts of where they come from."""
    if source is None:
        return read_own(raw, **own), {"source": "own files", "licence": "the user's own", "citation": ""}
    published = SOURCES[source]
    return READERS[source](raw), {"source": source, "licence": published.licence, "citation": published.citation}
