"""Which parts of which documents make up train, validation and test, so that nothing is in two of them."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cvnlp import files
from cvnlp.data import prepared
from cvnlp.data.user_files import printable
from cvnlp.language.data.texts import Part, Texts

HeldOut = Mapping[str, Sequence[str] | float | None]
Names = dict[str, list[str]]  # split -> documents
Splits = dict[str, list[Part]]

LINE_END, SPACE = re.compile("\n"), re.compile(r"\s")
NAMED = 40  # documents that an error names, of all that there are


def assign(texts: Texts, held_out: HeldOut) -> Names:
    """The documents that `texts` brings for a split and those that are named; "train" has what is left."""
    _check_given(texts, held_out)
    names = {split: list(documents) for split, documents in texts.given.items()}
    named = {split: chosen for split, chosen in held_out.items() if isinstance(chosen, Sequence)}
    for split, chosen in named.items():
        names[split] = _known(texts.given["train"], split, chosen)
    gone = {name for chosen in named.values() for name in chosen}
    return names | {"train": [name for name in names["train"] if name not in gone]}


def carve(
    names: Names, texts: Texts, sizes: Mapping[str, int], held_out: HeldOut, *, seed: int, anywhere: bool
) -> Splits:
    """The parts of each split, after shares of the documents for training were carved off.

    A share of several documents is some of them, drawn; of one document it is its end, `anywhere` to the character,
    else from the next line on.
    """
    shares = {split: share for split in reversed(prepared.SPLITS) if isinstance(share := held_out.get(split), float)}
    if sum(shares.values()) >= 1:
        raise ValueError(f"{_listed(shares)} leave nothing to train on: together they must be less than 1")
    if not names["train"]:
        raise ValueError("validation and test hold out every document; nothing is left to train on")
    if shares and len(names["train"]) == 1:
        carved = _cut(names["train"][0], texts, sizes, shares, anywhere=anywhere)
        return _whole({split: names[split] for split in names if split != "train"}, sizes) | carved
    return _whole(names | _draw(names["train"], sizes, shares, seed), sizes)


def _check_given(texts: Texts, held_out: HeldOut) -> None:
    """ValueError for a split that is asked for though given, or neither asked for nor given."""
    brought = " and ".join(split for split in prepared.SPLITS if split in texts.given and split != "train")
    for split, chosen in held_out.items():
        if chosen is not None and split in texts.given:
            raise ValueError(
                f"{split}: {chosen!r} is asked for, but {texts.place} brings its own {brought}; "
                f"leave {split} out, or set it to null"
            )
        if chosen is None and split not in texts.given:
            raise ValueError(
                f"{split}: null, but {texts.place} brings {f'only {brought}' if brought else 'no split of its own'}; "
                f"set {split} to a share such as 0.1, or to a list of documents"
            )


def _known(documents: Sequence[str], split: str, chosen: Sequence[str]) -> list[str]:
    known = set(documents)
    for name in chosen:
        if name not in known:
            choices = ", ".join(printable(name) for name in sorted(documents)[:NAMED])
            more = f", and {len(documents) - NAMED} more" if len(documents) > NAMED else ""
            raise ValueError(f"{split}: {name!r} is no document; valid choices: {choices}{more}")
    return list(chosen)


def _listed(shares: Mapping[str, float]) -> str:
    return " and ".join(f"{split}: {share:g}" for split, share in shares.items())


def _whole(names: Names, sizes: Mapping[str, int]) -> Splits:
    return {split: [Part(name, 0, sizes[name]) for name in documents] for split, documents in names.items()}


def _draw(documents: Sequence[str], sizes: Mapping[str, int], shares: Mapping[str, float], seed: int) -> Names:
    """Documents in a drawn order, for each split until it is nearest to its share of the characters; others train."""
    if len(documents) <= len(shares):
        raise ValueError(
            f"{_listed(shares)}: {len(documents)} documents are too few for shares of them and for training; "
            "add some, or join them to one file, which is cut by position"
        )
    total, last = sum(sizes[name] for name in documents), len(documents)
    order = np.random.default_rng(seed).permutation(last).tolist()
    split_of, begin = dict.fromkeys(documents, "train"), 0
    for waiting, (split, share) in enumerate(shares.items()):
        end, characters = begin, 0
        # one document at least, and one left for each of the splits that come after
        while end == begin or (
            characters + sizes[documents[order[end]]] / 2 < share * total and end < last - (len(shares) - waiting)
        ):
            split_of[documents[order[end]]] = split
            characters += sizes[documents[order[end]]]
            end += 1
        begin = end
    return {split: [name for name in documents if split_of[name] == split] for split in ("train", *shares)}


def _cut(name: str, texts: Texts, sizes: Mapping[str, int], shares: Mapping[str, float], *, anywhere: bool) -> Splits:
    """One document by position: train first, then validation, then test at its end."""
    text = "" if anywhere else texts.documents[name]()
    parts, rest, end = {}, 1.0, sizes[name]
    for split, share in shares.items():
        rest -= share
        start = int(sizes[name] * rest)
        if not anywhere:
            start = _next_line(text, start, end)
        parts[split], end = [Part(name, start, end)], start
    return parts | {"train": [Part(name, 0, end)]}


def _next_line(text: str, place: int, end: int) -> int:
    """Where from `place` on the next line begins that holds text; else the next word; else `end`."""
    last = len(text[:end].rstrip())
    for border in (LINE_END, SPACE):
        if found := border.search(text, max(place - 1, 0), last):
            return found.end()
    return end


def save_parts(path: Path, splits: Splits) -> None:
    """Which characters, from `start` to before `end`, of which document make up each split, in their order."""
    parts = ((split, part) for split in prepared.SPLITS for part in splits[split])
    rows = ((split, printable(part.document), part.start, part.end) for split, part in parts)
    files.write_rows(path, ("split", "document", "start", "end"), rows)
