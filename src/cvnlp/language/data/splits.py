"""Assign documents, or parts of one document, to train, validation and test: disjoint, and nothing is lost."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.data.shares import warn_if_far
from cvnlp.data.user_files import printable
from cvnlp.language.data.nearest import nearest_choice
from cvnlp.language.data.texts import Part, Texts

HeldOut = Mapping[str, Sequence[str] | float | None]  # validation and test -> documents, a share, or None
Names = dict[str, list[str]]  # split -> documents
Splits = dict[str, list[Part]]

LINE_END, SPACE = re.compile("\n"), re.compile(r"\s")
NAMES_IN_ERROR = 40  # documents that an error lists


def assign_documents(texts: Texts, held_out: HeldOut) -> Names:
    """The documents of splits that the source gives or `held_out` names; "train" has all others.

    ValueError for unknown documents, and for splits that are both given and held out, or neither.
    """
    _check_splits(texts, held_out)
    names = {split: list(documents) for split, documents in texts.given.items()}
    named = {split: chosen for split, chosen in held_out.items() if isinstance(chosen, Sequence)}
    for split, chosen in named.items():
        _check_names(texts.given["train"], split, chosen)
        names[split] = list(chosen)
    removed = {name for chosen in named.values() for name in chosen}
    return names | {"train": [name for name in names["train"] if name not in removed]}


def take_shares(
    names: Names, texts: Texts, sizes: Mapping[str, int], held_out: HeldOut, *, seed: int, inside_lines: bool
) -> Splits:
    """The parts of each split, after the shares of `held_out` were taken from the training documents.

    Of several documents a share is a random choice of documents. Of one document it is its end, from any character if
    `inside_lines`, else from the start of a line. A split far from its share is a warning. ValueError if nothing is
    left for training.
    """
    shares = {split: share for split in reversed(prepared.SPLITS) if isinstance(share := held_out.get(split), float)}
    if sum(shares.values()) >= 1:
        raise ValueError(f"{_listed(shares)} leave nothing for training: together they must be less than 1")
    if not names["train"]:
        raise ValueError("validation and test hold out every document; nothing is left for training")
    pool = sum(sizes[name] for name in names["train"])
    if shares and len(names["train"]) == 1:
        cut = _cut_document(names["train"][0], texts, sizes, shares, inside_lines=inside_lines)
        splits = _whole_documents({split: names[split] for split in names if split != "train"}, sizes) | cut
        reason = "a text is cut at the start of a line only; break its long lines"
    else:
        splits = _whole_documents(names | _draw_documents(names["train"], sizes, shares, seed), sizes)
        reason = "whole documents come no nearer; cut the long ones, or join all into one file"
    for split, share in shares.items():
        warn_if_far(split, share, sum(part.length for part in splits[split]) / pool, reason)
    return splits


def _check_splits(texts: Texts, held_out: HeldOut) -> None:
    """ValueError for a split that the source gives and `held_out`, too, or neither of them."""
    given = " and ".join(split for split in prepared.SPLITS if split in texts.given and split != "train")
    for split, chosen in held_out.items():
        if chosen is not None and split in texts.given:
            raise ValueError(
                f"{split}: {chosen!r}, but {texts.source} has its own {given}; leave {split} out, or set it to null"
            )
        if chosen is None and split not in texts.given:
            raise ValueError(
                f"{split}: null, but {texts.source} has {f'only {given}' if given else 'no splits of its own'}; "
                f"set {split} to a share such as 0.1, or to a list of documents"
            )


def _check_names(documents: Sequence[str], split: str, chosen: Sequence[str]) -> None:
    known = set(documents)
    for name in chosen:
        if name not in known:
            choices = ", ".join(printable(name) for name in sorted(documents)[:NAMES_IN_ERROR])
            more = f", and {len(documents) - NAMES_IN_ERROR} more" if len(documents) > NAMES_IN_ERROR else ""
            raise ValueError(f"{split}: {name!r} is not a document; valid choices: {choices}{more}")


def _listed(shares: Mapping[str, float]) -> str:
    return " and ".join(f"{split}: {share:g}" for split, share in shares.items())


def _whole_documents(names: Names, sizes: Mapping[str, int]) -> Splits:
    return {split: [Part(name, 0, sizes[name]) for name in documents] for split, documents in names.items()}


def _draw_documents(
    documents: Sequence[str], sizes: Mapping[str, int], shares: Mapping[str, float], seed: int
) -> Names:
    """Documents for each split, as near to its share of the characters as whole documents allow; the rest trains."""
    if len(documents) <= len(shares):
        raise ValueError(
            f"{_listed(shares)}: {len(documents)} documents are too few for these splits and training; add documents, "
            "or join them into one file, which is cut by position"
        )
    total, generator = sum(sizes[name] for name in documents), np.random.default_rng(seed)
    order = [documents[place] for place in generator.permutation(len(documents))]
    split_of = dict.fromkeys(documents, "train")
    for number, (split, share) in enumerate(shares.items()):
        most = len(order) - (len(shares) - number)  # one is left for each of the later splits and training
        lengths = np.array([sizes[name] for name in order])
        chosen = {order[place] for place in nearest_choice(lengths, share * total, most, generator)}
        split_of |= dict.fromkeys(chosen, split)
        order = [name for name in order if name not in chosen]
    return {split: [name for name in documents if split_of[name] == split] for split in ("train", *shares)}


def _cut_document(
    name: str, texts: Texts, sizes: Mapping[str, int], shares: Mapping[str, float], *, inside_lines: bool
) -> Splits:
    """One document cut by position: train, then validation, then test at its end."""
    text = "" if inside_lines else texts.documents[name]()
    parts, rest, end = {}, 1.0, sizes[name]
    for split, share in shares.items():
        rest -= share
        start = int(sizes[name] * rest)
        if not inside_lines:
            start = _next_line(text, start, end)
        parts[split], end = [Part(name, start, end)], start
    return parts | {"train": [Part(name, 0, end)]}


def _next_line(text: str, place: int, end: int) -> int:
    """The start of the next line that is not empty, from `place` on; else of the next word; else `end`."""
    last = len(text[:end].rstrip())
    for border in (LINE_END, SPACE):
        if match := border.search(text, max(place - 1, 0), last):
            return match.end()
    return end


def save_parts(path: Path, splits: Splits) -> None:
    """A CSV file of the parts of each split: the document, and its characters from `start` to before `end`."""
    parts = ((split, part) for split in prepared.SPLITS for part in splits[split])
    rows = ((split, printable(part.document), part.start, part.end) for split, part in parts)
    files.write_rows(path, ("split", "document", "start", "end"), rows)
