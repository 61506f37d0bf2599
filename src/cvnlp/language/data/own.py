"""Read a user's own texts: one file, a folder of files, or files or folders that are named after splits."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from cvnlp.data.user_files import SPLIT_NAMES, SkippedFiles, UnreadableFileError, printable, walk
from cvnlp.language.data.decoding import Decoded, decode
from cvnlp.language.data.texts import Texts, progress


def read_own(path: Path, *, encoding: str | None, max_skipped: float) -> Texts:
    """Every file that is not hidden is a document, named by its path below `path`; its suffix does not matter.

    Unreadable files are skipped; ValueError if their share is above `max_skipped`.
    """
    root, names = _files(path)
    skipped, encodings, converted = SkippedFiles(), {}, 0
    for name in progress(names, "checking files", unit="file"):
        try:
            decoded = _read(root / name, encoding)
        except UnreadableFileError as error:
            skipped.add(name, str(error))
            continue
        encodings[name] = decoded.encoding
        converted += decoded.converted
    skipped.check(len(names), max_skipped, path)
    return Texts(
        printable(str(path)),
        {name: partial(_read_again, root / name, detected) for name, detected in encodings.items()},
        {split: [name for name in of_split if name in encodings] for split, of_split in _by_split(names).items()},
        {
            "encodings": dict(Counter(encodings.values())),
            "converted_line_ends": converted,
            "skipped": len(skipped),
            "read": len(encodings),
        },
        skipped,
    )


def _files(path: Path) -> tuple[Path, list[str]]:
    """A folder, and the paths of all files relative to it."""
    if path.is_file():
        return path.parent, [path.name]
    if not path.exists():
        raise FileNotFoundError(f"path: {printable(str(path))} does not exist; give a text file or a folder of them")
    if not path.is_dir():
        raise ValueError(f"path: {printable(str(path))} is neither a file nor a folder")
    names = list(walk(path))
    if not names:
        raise ValueError(f"path: the folder {printable(str(path))} has no files, apart from hidden ones")
    return path, names


def _by_split(names: Sequence[str]) -> dict[str, list[str]]:
    """Split -> files, if all top folders or files are named after splits, one of them train; else train -> all."""
    splits = [_split_name(name) for name in names]
    if None in splits or "train" not in splits:
        return {"train": list(names)}
    by_split: dict[str, list[str]] = {}
    for name, split in zip(names, splits, strict=True):
        by_split.setdefault(str(split), []).append(name)
    return by_split


def _split_name(name: str) -> str | None:
    top, slash, _ = name.partition("/")
    return SPLIT_NAMES.get((top if slash else PurePosixPath(top).stem).lower())


def _read(path: Path, encoding: str | None) -> Decoded:
    try:
        if path.exists() and not path.is_file():  # reading a pipe, for example, would wait for a writer
            raise UnreadableFileError("is not a regular file")
        return decode(path.read_bytes(), encoding)
    except OSError as error:
        raise UnreadableFileError(f"cannot be read: {error.strerror}") from None


def _read_again(path: Path, encoding: str) -> str:
    try:
        return _read(path, encoding).text
    except UnreadableFileError as error:
        raise ValueError(f"{printable(str(path))} was changed during preparation: now it {error}") from None
