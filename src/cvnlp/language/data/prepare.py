"""Prepare a data set of texts: from raw files to token ids on disk, with a vocabulary of the training text only.

One document is in memory at a time; each is read several times. Imports no torch.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import chain
from pathlib import Path
from typing import TypeVar

import numpy as np

from cvnlp import files
from cvnlp.catalogue import SOURCES
from cvnlp.data import prepared
from cvnlp.data.prepared import DuplicateCounts, LanguageFacts, describe_arrays, save_facts
from cvnlp.language.data.duplicates import DocumentDuplicates, documents_of, repeated_lines
from cvnlp.language.data.own import read_own
from cvnlp.language.data.published import READERS
from cvnlp.language.data.split_writer import Statistics, write_split
from cvnlp.language.data.splits import HeldOut, Splits, assign_documents, save_parts, take_shares
from cvnlp.language.data.texts import Texts, chunks, measure
from cvnlp.language.data.tokens import TOKENISERS, Tokeniser, build_vocabulary
from cvnlp.params.datasets import LanguageDataset, OwnTexts

FREQUENT = 20  # tokens that the facts list
Options = LanguageDataset | OwnTexts
Value = TypeVar("Value")


def prepare(raw: Path, folder: Path, options: Options) -> LanguageFacts:
    """Read, split, tokenise and write a data set into `folder`; returns its facts.

    `raw` is the folder of downloaded files, or the user's own file or folder of texts.
    """
    tokeniser = TOKENISERS[options.tokens]
    texts = _read(raw, options)
    texts = texts.in_lower_case() if options.lowercase else texts
    splits, duplicates = _split(texts, folder, options, inside_lines=tokeniser.token_kind == "characters")
    training = chunks(texts, splits["train"], tokeniser.separator, "counting tokens")
    counts = tokeniser.count(chain.from_iterable(training))
    vocabulary = build_vocabulary(
        counts, tokeniser.line_end, size=options.vocabulary_size, minimum_count=options.minimum_count
    )
    statistics = {
        split: write_split(folder, split, texts, splits[split], tokeniser, vocabulary) for split in prepared.SPLITS
    }
    files.write_json(folder / "vocabulary.json", vocabulary)
    facts = _facts(folder, options, texts, duplicates, tokeniser, counts, vocabulary, statistics)
    save_facts(folder, facts)
    return facts


def _read(raw: Path, options: Options) -> Texts:
    if isinstance(options, OwnTexts):
        return read_own(raw, encoding=options.encoding, max_skipped=options.max_skipped)
    return READERS[options.source](raw)


def _split(texts: Texts, folder: Path, options: Options, *, inside_lines: bool) -> tuple[Splits, DuplicateCounts]:
    """The parts of each split, and the counts of duplicates; for a user's own data tables of both go into `folder`."""
    held_out: HeldOut = {"validation": options.validation, "test": options.test}
    names = assign_documents(texts, held_out)
    sizes, digests = measure(texts)
    duplicates = DocumentDuplicates(texts.documents, digests)
    kept = duplicates.drop(names) if options.duplicates == "drop" else names
    splits = take_shares(kept, texts, sizes, held_out, seed=options.seed, inside_lines=inside_lines)
    final = documents_of(splits)
    if texts.skipped is not None:
        texts.skipped.save(folder / "skipped.csv")
        save_parts(folder / "documents.csv", splits)
        duplicates.save(folder / "duplicates.csv", names if options.duplicates == "drop" else final)
    counts = duplicates.count(final)
    dropped = {split: len(names[split]) - len(kept[split]) for split in names}
    return splits, DuplicateCounts(
        within=counts.within, across=counts.across, dropped=dict.fromkeys(prepared.SPLITS, 0) | dropped
    )


def _facts(
    folder: Path,
    options: Options,
    texts: Texts,
    duplicates: DuplicateCounts,
    tokeniser: Tokeniser,
    counts: Counter[str],
    vocabulary: list[str],
    statistics: Mapping[str, Statistics],
) -> LanguageFacts:
    source, licence, citation = _origin(options)

    def by_split(value: Callable[[Statistics], Value]) -> dict[str, Value]:
        return {split: value(one) for split, one in statistics.items()}

    return LanguageFacts(
        source=source,
        licence=licence,
        citation=citation,
        duplicates=duplicates,
        arrays=describe_arrays(folder, prepared.SPLITS),
        tokens=options.tokens,
        token_kind=tokeniser.token_kind,
        lowercase=options.lowercase,
        start=vocabulary.index(tokeniser.line_end),
        vocabulary_size=len(vocabulary),
        types=len(counts),
        frequent=sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:FREQUENT],
        documents=by_split(lambda one: one.documents),
        characters=by_split(lambda one: one.characters),
        lines=by_split(lambda one: one.lines),
        longest_line=by_split(lambda one: one.longest_line),
        counts=by_split(lambda one: one.counts),
        unknown=by_split(lambda one: one.unknown),
        coverage=by_split(lambda one: one.coverage),
        out_of_vocabulary=by_split(lambda one: one.out_of_vocabulary),
        repeated_lines=repeated_lines(by_split(lambda one: np.concatenate(one.line_digests))),
        **texts.facts,
    )


def _origin(options: Options) -> tuple[str, str, str]:
    """Source, licence and citation."""
    if isinstance(options, OwnTexts):
        return "own files", "the user's own", ""
    published = SOURCES[options.source]
    return options.source, published.licence, published.citation
