"""A user's own texts: one file, a folder of files, or files or folders named as splits."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from cvnlp.data.user_files import SPLIT_NAMES, SkippedFiles, UnreadableFileError, printable, walk
from cvnlp.language.data.decoding import Decoded, decode
from cvnlp.language.data.texts import Texts, progress


def read_own(path: Path, *, encoding: str | None, max_skipped: float) -> Texts:
    """Every file is a document, named by its path below `path`, whatever its suffix; hidden ones are left out.

    Files that are no text are skipped; ValueError if more than the share `max_skipped` of them is.
    """
    root, names = _files(path)
    skipped, encodings, converted = SkippedFiles(), {}, 0
    for name in progress(names, "looking at files", unit="file"):
        try:
            found = _read(root / name, encoding)
        except UnreadableFileError as error:
            skipped.add(name, str(error))
            continue
        encodings[name] = found.encoding
        converted += found.converted
    skipped.check(len(names), max_skipped, path)
    return Texts(
        printable(str(path)),
        {name: partial(_text, root / name, known) for name, known in encodings.items()},
        {split: [name for name in of if name in encodings] for split, of in _given(names).items()},
        {
            "encodings": dict(Counter(encodings.values())),
            "converted_line_ends": converted,
            "skipped": len(skipped),
            "read": len(encodings),
        },
        skipped,
    )


def _files(path: Path) -> tuple[Path, list[str]]:
    """The folder, and the paths below it of all files."""
    if path.is_file():
        return path.parent, [path.name]
    if not path.exists():
        raise FileNotFoundError(f"{printable(str(path))} does not exist: `path` names a text file or a folder of them")
    if not path.is_dir():
        raise ValueError(f"{printable(str(path))} is neither a file nor a folder, which `path` has to name")
    names = list(walk(path))
    if not names:
        raise ValueError(f"the folder {printable(str(path))} holds no files, apart from hidden ones")
    return path, names


def _given(names: Sequence[str]) -> dict[str, list[str]]:
    """Split -> files: as the top folders or files are named, if all are named as splits and one is for training."""
    splits = [_split_name(name) for name in names]
    if None in splits or "train" not in splits:
        return {"train": list(names)}
    given: dict[str, list[str]] = {}
    for name, split in zip(names, splits, strict=True):
        given.setdefault(str(split), []).append(name)
    return given


def _split_name(name: str) -> str | None:
    top, slash, _ = name.partition("/")
    return SPLIT_NAMES.get((top if slash else PurePosixPath(top).stem).lower())


def _read(path: Path, encoding: str | None) -> Decoded:
    try:
        if path.exists() and not path.is_file():  # a pipe, say, which would be waited for
            raise UnreadableFileError("is no regular file")
        return decode(path.read_bytes(), encoding)
    except OSError as error:
        raise UnreadableFileError(f"cannot be read: {error.strerror}") from None


def _text(path: Path, encoding: str) -> str:
    try:
        return _read(path, encoding).text
    except UnreadableFileError as error:
        raise ValueError(f"{printable(str(path))} was changed while it was prepared: now it {error}") from None
