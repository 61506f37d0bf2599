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
from cvnlp.data.prepared import DuplicateCounts, LanguageFacts, describe_arrays, save_facts
from cvnlp.language.data.copies import Copies, documents_of, repeated_lines
from cvnlp.language.data.own import read_own
from cvnlp.language.data.published import READERS
from cvnlp.language.data.splits import HeldOut, Splits, assign, carve, save_parts
from cvnlp.language.data.texts import Texts, pieces, survey
from cvnlp.language.data.tokens import TOKENISERS, Tokeniser
from cvnlp.language.data.vocabulary import build_vocabulary
from cvnlp.language.data.writing import Statistics, write_split
from cvnlp.params.datasets import LanguageDataset, OwnTexts

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


def prepare(raw: Path, folder: Path, options: LanguageDataset | OwnTexts) -> LanguageFacts:
    """Read, split, tokenise and write a data set into `folder`; returns its facts.

    `raw` is the folder where published files are kept, or the user's own file or folder of texts.
    """
    tokeniser = TOKENISERS[options.tokens]
    texts = _read(raw, options)
    texts = texts.in_lower_case() if options.lowercase else texts
    splits, copies = _split(texts, folder, options, anywhere=tokeniser.token_kind == "characters")
    source, licence, citation = _origin(options)
    facts = LanguageFacts(
        source=source,
        licence=licence,
        citation=citation,
        duplicates=copies,
        tokens=options.tokens,
        token_kind=tokeniser.token_kind,
        lowercase=options.lowercase,
        **texts.facts,
        **_write(folder, texts, splits, tokeniser, options),
        arrays=describe_arrays(folder, prepared.SPLITS),
    )
    save_facts(folder, facts)
    return facts


def _split(
    texts: Texts, folder: Path, options: LanguageDataset | OwnTexts, *, anywhere: bool
) -> tuple[Splits, DuplicateCounts]:
    """The parts of each split, and the counts of equal documents; tables of a user's own data go into `folder`."""
    held_out: HeldOut = {"validation": options.validation, "test": options.test}
    names = assign(texts, held_out)
    sizes, digests = survey(texts)
    copies = Copies(texts.documents, digests)
    kept = copies.without(names) if options.duplicates == "drop" else names
    splits = carve(kept, texts, sizes, held_out, seed=options.seed, anywhere=anywhere)
    carved = documents_of(splits)
    if texts.skipped is not None:
        texts.skipped.save(folder / "skipped.csv")
        save_parts(folder / "documents.csv", splits)
        copies.save(folder / "duplicates.csv", names if options.duplicates == "drop" else carved)
    dropped = {split: len(names[split]) - len(kept[split]) for split in names}
    counts = copies.count(carved)
    dropped = dict.fromkeys(prepared.SPLITS, 0) | dropped
    return splits, DuplicateCounts(within=counts.within, across=counts.across, dropped=dropped)


def _write(
    folder: Path, texts: Texts, splits: Splits, tokeniser: Tokeniser, options: LanguageDataset | OwnTexts
) -> dict[str, Any]:
    """Write the arrays and the vocabulary; returns the facts of both."""
    running = pieces(texts, splits["train"], tokeniser.separator, "counting tokens")
    counts = tokeniser.count(chain.from_iterable(running))
    vocabulary = build_vocabulary(
        counts, tokeniser.line_end, size=options.vocabulary_size, minimum_count=options.minimum_count
    )
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


def _most_frequent(counts: Counter[str]) -> list[tuple[str, int]]:
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ranked[:FREQUENT]


def _statistics(found: Mapping[str, Statistics]) -> dict[str, dict[str, Any]]:
    """Name -> split -> number."""
    lines = {split: np.concatenate(one.line_digests) for split, one in found.items()}
    return {name: {split: getattr(one, name) for split, one in found.items()} for name in STATISTICS} | {
        "repeated_lines": repeated_lines(lines)
    }


def _read(raw: Path, options: LanguageDataset | OwnTexts) -> Texts:
    if isinstance(options, OwnTexts):
        return read_own(raw, encoding=options.encoding, max_skipped=options.max_skipped)
    return READERS[options.source](raw)


def _origin(options: LanguageDataset | OwnTexts) -> tuple[str, str, str]:
    """Source, licence and citation."""
    if isinstance(options, OwnTexts):
        return "own files", "the user's own", ""
    published = SOURCES[options.source]
    return options.source, published.licence, published.citation
