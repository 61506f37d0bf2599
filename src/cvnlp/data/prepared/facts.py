"""The facts of a prepared data set (facts.json): origin, sizes, statistics, and a checksum of every array."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, TypeVar, overload

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from cvnlp import files
from cvnlp.data.prepared.arrays import REMEDY, load_array
from cvnlp.params.datasets import Canvases
from cvnlp.params.processing import Decoding

BySplit = dict[str, int]  # train, validation and test -> a count
SharesBySplit = dict[str, float]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ArrayFacts(_Frozen):
    """Size and checksum of one array; the size reveals a truncated file."""

    bytes: int
    sha256: str


class DuplicateCounts(_Frozen):
    """Examples with equal content: `within` a split, `across` two splits ("train-test"), and those `dropped`."""

    within: BySplit
    across: dict[str, int]
    dropped: BySplit


class Facts(_Frozen):
    """Facts of any data set; `read` and `skipped` count the files of a user's own data."""

    source: str
    licence: str
    citation: str
    duplicates: DuplicateCounts
    arrays: dict[str, ArrayFacts]
    read: int | None = None
    skipped: int | None = None

    @property
    def sizes(self) -> BySplit:
        """Examples by split: images or tokens."""
        raise NotImplementedError


class VisionFacts(Facts):
    """Images: `shape` is (height, width, channels); `mean` and `std` per channel, of training pixels in [0, 1].

    `counts`: images by split and class. `conflicting`: distinct images that occur in more than one class. `decoding`:
    how the files were decoded, or how files are to be decoded where the data set has arrays.
    """

    domain: Literal["vision"] = "vision"
    shape: list[int]
    classes: list[str]
    mean: list[float]
    std: list[float]
    counts: dict[str, dict[str, int]]
    conflicting: int
    decoding: Decoding
    canvases: Canvases | None = None

    @property
    def background(self) -> int | None:
        """The label of the windows without an object: the last class of a data set with canvases."""
        return len(self.classes) - 1 if self.canvases else None

    @property
    def sizes(self) -> BySplit:
        return {split: sum(of_classes.values()) for split, of_classes in self.counts.items()}


class LanguageFacts(Facts):
    """Texts: sizes by split, in tokens (`counts`), documents, characters and lines.

    `start` is the id of the token that ends a line, from which the first token is predicted. `coverage`: share of the
    tokens that are in the vocabulary; `out_of_vocabulary`: share of tokens replaced by <unk>, without those that are
    <unk> in the text itself. `frequent`: the most frequent training tokens with their counts; `types`: distinct
    training tokens. `encodings` (files by encoding) and `converted_line_ends` describe a user's own texts.
    """

    domain: Literal["language"] = "language"
    tokens: Literal["characters", "words", "whitespace"]
    token_kind: Literal["characters", "words"]
    lowercase: bool
    start: int
    vocabulary_size: int
    types: int
    frequent: list[tuple[str, int]]
    documents: BySplit
    characters: BySplit
    lines: BySplit
    longest_line: BySplit
    counts: BySplit
    unknown: BySplit
    coverage: SharesBySplit
    out_of_vocabulary: SharesBySplit
    repeated_lines: SharesBySplit
    encodings: dict[str, int] | None = None
    converted_line_ends: int | None = None

    @property
    def sizes(self) -> BySplit:
        return self.counts


AnyFacts = Annotated[VisionFacts | LanguageFacts, Field(discriminator="domain")]
_ADAPTER: TypeAdapter[VisionFacts | LanguageFacts] = TypeAdapter(AnyFacts)
Kind = TypeVar("Kind", VisionFacts, LanguageFacts)


def describe_arrays(folder: Path, names: Iterable[str]) -> dict[str, ArrayFacts]:
    """Size and SHA-256 of the arrays `names` in `folder`."""
    return {
        name: ArrayFacts(bytes=int(load_array(folder, name).nbytes), sha256=files.sha256(folder / f"{name}.npy"))
        for name in names
    }


def save_facts(folder: Path, facts: Facts) -> None:
    """Write facts.json, which marks the data set as complete."""
    files.write_json(folder / "facts.json", facts.model_dump(mode="json", exclude_none=True))


@overload
def read_facts(folder: Path) -> VisionFacts | LanguageFacts: ...


@overload
def read_facts(folder: Path, kind: type[Kind]) -> Kind: ...


def read_facts(folder: Path, kind: type[Kind] | None = None) -> VisionFacts | LanguageFacts:
    """Read facts.json and check that every array exists with the stated size; ValueError if not.

    `kind` is the expected class; without it the class follows from the file's own `domain`.
    """
    path = folder / "facts.json"
    if not path.is_file():
        raise ValueError(f"{folder} holds no prepared data (facts.json is missing): run `dvc repro prepare`")
    found = _parse(path)
    if kind is not None and not isinstance(found, kind):
        raise ValueError(f"{path}: domain is {found.domain!r}, but this run needs the other domain: {REMEDY}")
    for name, array in found.arrays.items():
        if load_array(folder, name).nbytes != array.bytes:
            raise ValueError(f"{folder / name}.npy does not have the size that facts.json states: {REMEDY}")
    return found


def _parse(path: Path) -> VisionFacts | LanguageFacts:
    try:
        return _ADAPTER.validate_python(files.read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{path} is of another version ({place}: {first['msg']}): {REMEDY}") from None
