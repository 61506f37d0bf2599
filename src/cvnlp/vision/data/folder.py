"""A user's folder of pictures: which files there are, their classes and their splits. Nothing is decoded yet."""

import os
import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cvnlp.data.prepared import SPLITS
from cvnlp.data.user_files import SPLIT_NAMES, printable, walk

MOST_CLASSES = 2**16


class Paths:
    """Many paths in little memory."""

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
    """Files in class folders, in the order of their paths; labels count the classes, splits the SPLITS."""

    root: Path
    classes: list[str]
    given: list[str]  # the splits that the folders name
    paths: Paths = field(default_factory=Paths)
    labels: "array[int]" = field(default_factory=lambda: array("H"))
    splits: "array[int]" = field(default_factory=lambda: array("B"))
    strays: list[str] = field(default_factory=list)  # files in no class folder

    @property
    def origin(self) -> str:
        return f"the folder {printable(str(self.root))}"


def list_pictures(root: Path) -> Listing:
    """`<root>/<class>/**`, or `<root>/<split>/<class>/**` where every folder is named after a split, train among them.

    Classes are numbered by their names as sorted() orders them, as torchvision's ImageFolder does. ValueError or
    OSError in one line for whatever does not fit.
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
    """Folder that holds class folders -> its split."""
    if not root.is_dir():
        problem = "is a file" if root.is_file() else "does not exist"
        raise ValueError(
            f"{printable(str(root))} {problem}: `path` has to name a folder that holds a folder for each class"
        )
    tops = _folders(root)
    layout = {top: SPLIT_NAMES[top.lower()] for top in tops if top.lower() in SPLIT_NAMES}
    if not layout or len(layout) < len(tops):
        return {"": "train"}
    if "train" not in layout.values():
        raise ValueError(f"{printable(str(root))} holds folders of splits ({_listed(tops)}), but none named train")
    for split, count in Counter(layout.values()).items():
        if count > 1:
            both = [top for top in tops if layout[top] == split]
            raise ValueError(
                f"{printable(str(root))} holds {count} folders of the {split} split ({_listed(both)}): keep one"
            )
    return layout


def _folders(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def _check_classes(root: Path, folders: dict[str, list[str]], train: str) -> None:
    for top, names in folders.items():
        if not names:
            raise ValueError(f"{printable(str(root / top))} holds no folder: put the pictures of each class into one")
    _check_distinct(root, sorted(set().union(*folders.values())))
    for top, names in folders.items():
        missing, more = set(folders[train]) - set(names), set(names) - set(folders[train])
        if missing or more:
            told = [f"lacks {_listed(sorted(missing))}"] * bool(missing) + [f"adds {_listed(sorted(more))}"] * bool(
                more
            )
            raise ValueError(
                f"{printable(str(root / top))} has not the classes of {printable(train)}: it {' and '.join(told)}"
            )
    if not 1 < len(folders[train]) <= MOST_CLASSES:
        raise ValueError(
            f"{printable(str(root / train))} holds {len(folders[train])} class folders, but needs 2 to {MOST_CLASSES}"
        )


def _check_distinct(root: Path, names: Iterable[str]) -> None:
    first: dict[str, str] = {}
    for name in names:
        same = unicodedata.normalize("NFC", unicodedata.normalize("NFC", printable(name)).casefold())
        if same in first:
            raise ValueError(
                f"{printable(str(root))} has the classes {_listed([first[same], name])}, which differ only in case or "
                "how accents are encoded, and are the same folder on some systems: rename or merge them"
            )
        first[same] = name


def _fill(listing: Listing, layout: dict[str, str], classes: list[str]) -> Counter[tuple[str, str]]:
    """Returns how many files each class has in each folder of the layout."""
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
    """At most ten, as text."""
    names = [printable(name) for name in names]
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
