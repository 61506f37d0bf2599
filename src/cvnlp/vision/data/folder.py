"""List a user's folder of images: files, classes and splits. Nothing is decoded."""

import os
import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cvnlp.data.prepared import SPLITS
from cvnlp.data.user_files import SPLIT_NAMES, printable, walk

MAX_CLASSES = 2**16


class PathList:
    """Many paths in little memory: as one string of bytes."""

    def __init__(self) -> None:
        self._text = bytearray()
        self._ends = array("Q", [0])

    def append(self, path: str) -> None:
        self._text += os.fsencode(path)
        self._ends.append(len(self._text))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, number: int) -> str:
        return os.fsdecode(bytes(self._text[self._ends[number] : self._ends[number + 1]]))


@dataclass(frozen=True)
class Listing:
    """The files in class folders, in the order of their paths.

    `given`: the splits that have folders. `labels` and `splits` are indices into `classes` and SPLITS. `strays`: files
    outside of all class folders.
    """

    root: Path
    classes: list[str]
    given: list[str]
    paths: PathList = field(default_factory=PathList)
    labels: "array[int]" = field(default_factory=lambda: array("H"))
    splits: "array[int]" = field(default_factory=lambda: array("B"))
    strays: list[str] = field(default_factory=list)

    @property
    def origin(self) -> str:
        return f"the folder {printable(str(self.root))}"


def list_images(root: Path) -> Listing:
    """List `<root>/<class>/**`, or `<root>/<split>/<class>/**` if all folders are named after splits, including train.

    Classes are in the order of sorted(), as in torchvision's ImageFolder. ValueError or OSError, in one line, for any
    other layout.
    """
    layout = _layout(root)
    folders = {top: _folders(root / top) for top in layout}
    train = next(top for top, split in layout.items() if split == "train")
    _check_classes(root, folders, train)
    given = [split for split in SPLITS if split in layout.values()]
    listing = Listing(root, [printable(name) for name in folders[train]], given)
    found = _fill(listing, layout, folders[train])
    _check_filled(listing, folders, found)
    return listing


def _layout(root: Path) -> dict[str, str]:
    """Folder with class folders -> its split."""
    if not root.is_dir():
        problem = "is a file" if root.is_file() else "does not exist"
        raise ValueError(f"{printable(str(root))} {problem}: `path` must be a folder with a folder for each class")
    tops = _folders(root)
    layout = {top: SPLIT_NAMES[top.lower()] for top in tops if top.lower() in SPLIT_NAMES}
    if not layout or len(layout) < len(tops):
        return {"": "train"}
    if "train" not in layout.values():
        raise ValueError(f"{printable(str(root))} has folders for the splits {_listed(tops)}, but none for train")
    for split, count in Counter(layout.values()).items():
        if count > 1:
            both = [top for top in tops if layout[top] == split]
            raise ValueError(
                f"{printable(str(root))} has {count} folders for the {split} split ({_listed(both)}): keep one"
            )
    return layout


def _folders(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def _check_classes(root: Path, folders: dict[str, list[str]], train: str) -> None:
    for top, names in folders.items():
        if not names:
            raise ValueError(f"{printable(str(root / top))} has no folders: put the images of each class into a folder")
    _check_distinct(root, sorted(set().union(*folders.values())))
    for top, names in folders.items():
        differences = {"lacks": set(folders[train]) - set(names), "adds": set(names) - set(folders[train])}
        difference = " and ".join(f"{verb} {_listed(sorted(some))}" for verb, some in differences.items() if some)
        if difference:
            raise ValueError(
                f"{printable(str(root / top))} does not have the same classes as {printable(train)}: it {difference}"
            )
    if not 1 < len(folders[train]) <= MAX_CLASSES:
        raise ValueError(
            f"{printable(str(root / train))} has {len(folders[train])} class folders; it must have 2 to {MAX_CLASSES}"
        )


def _check_distinct(root: Path, names: Iterable[str]) -> None:
    first: dict[str, str] = {}
    for name in names:
        same = unicodedata.normalize("NFC", unicodedata.normalize("NFC", printable(name)).casefold())
        if same in first:
            raise ValueError(
                f"{printable(str(root))} has the classes {_listed([first[same], name])}, which differ only in case or "
                "how accents are encoded, and are the same on some systems: rename or merge them"
            )
        first[same] = name


def _fill(listing: Listing, layout: dict[str, str], classes: list[str]) -> Counter[tuple[str, str]]:
    """Fill the listing; returns the number of files by folder and class."""
    found: Counter[tuple[str, str]] = Counter()
    numbers = {name: number for number, name in enumerate(classes)}
    numbers_of_splits = {top: SPLITS.index(split) for top, split in layout.items()}
    for path in walk(listing.root):
        top, *rest = ("", *path.split("/", 1)) if "" in layout else path.split("/", 2)
        if len(rest) < 2:
            listing.strays.append(path)
            continue
        found[top, rest[0]] += 1
        listing.paths.append(path)
        listing.labels.append(numbers[rest[0]])
        listing.splits.append(numbers_of_splits[top])
    return found


def _check_filled(listing: Listing, folders: dict[str, list[str]], found: Counter[tuple[str, str]]) -> None:
    empty = [f"{top}/{name}".lstrip("/") for top, names in folders.items() for name in names if not found[top, name]]
    if empty:
        raise ValueError(f"{printable(str(listing.root))} has class folders without any file: {_listed(empty)}")


def _listed(names: Iterable[str]) -> str:
    """At most ten names, separated by commas."""
    names = [printable(name) for name in names]
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
