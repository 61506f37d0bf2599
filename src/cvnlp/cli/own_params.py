"""params.yaml for a user's own pictures or text, with values that follow from the data."""

import re
from pathlib import Path

SIDES = (28, 32, 48, 64)  # of prepared pictures: enough for the default networks, fast on two cores
SAMPLED = 50  # pictures that are opened to see their sizes
STEPS = 1500  # of the training of pictures, about
BATCH = 32
WORD_BYTES = 20_000_000  # of a text from which words are learned, instead of characters

PICTURES = """\
# Pictures of {classes} classes: {listed}
datasets: {{}}
own:
  {name}:
    domain: vision
    path: {path}
    seed: 1
    size: [{side}, {side}]      # height and width of the prepared pictures; smaller is faster, larger shows more
    colour: {colour}          # or grey, rgb
    fit: crop            # or pad, stretch: how a picture of another shape is resized
    validation: 0.15     # fraction that chooses the best epoch
    test: 0.15           # fraction that is scored once, at the end
    duplicates: drop     # keeps one of several equal pictures

runs:
  {name}_cnn:
    domain: vision
    dataset: {name}
    seed: 1
    model: {{name: cnn, blocks: [{{filters: 16}}, {{filters: 32}}, {{filters: 64}}], dropout: 0.3}}
    train: {{epochs: {epochs}, batch_size: {batch}, lr: 0.002, augment: {{shift: {shift}, rotation: 10, scale: 0.1}}}}
    evaluate: {{}}
    attack: {{eps: [0.01, 0.02]}}
    insight: {{}}
"""
TEXT = """\
datasets: {{}}
own:
  {name}:
    domain: language
    path: {path}
    seed: 1
    tokens: {tokens}   # or words, characters
    vocabulary_size: {vocabulary}
    validation: 0.1      # fraction that chooses the best epoch
    test: 0.1            # fraction that is scored once, at the end
    duplicates: drop     # keeps one of several equal documents

runs:
  {name}_lstm:
    domain: language
    dataset: {name}
    seed: 1
    model: {{name: lstm, embedding_size: {embedding}, hidden_size: {hidden}}}
    train: {{epochs: {epochs}, batch_size: {batch}, window: 32, lr: 0.004, clip: 1.0}}
    evaluate: {{sample_tokens: 300}}
    attack: {{shares: [0.1]}}
    insight: {{}}
"""


def pictures_params(folder: Path, name: str | None) -> tuple[str, str]:
    """The content of params.yaml, and the name of the run; ValueError for a folder that has no classes."""
    from cvnlp.vision.data.folder import list_images

    listing = list_images(folder)
    side, grey = _look_at([folder / listing.paths[number] for number in _spread(len(listing.paths), SAMPLED)])
    name = name or _as_name(folder)
    steps = max(1, len(listing.paths) * 7 // 10 // BATCH)
    shown = ", ".join(listing.classes[:8]) + (", ..." if len(listing.classes) > 8 else "")
    text = PICTURES.format(
        **{"classes": len(listing.classes), "listed": " ".join(shown.split()), "name": name, "side": side},
        **{"path": _quoted(folder), "colour": "grey" if grey else "rgb", "shift": max(1, side // 16)},
        **{"epochs": min(40, max(5, round(STEPS / steps))), "batch": BATCH},
    )
    return text, f"{name}_cnn"


def text_params(path: Path, name: str | None) -> tuple[str, str]:
    """The content of params.yaml, and the name of the run; FileNotFoundError without a text."""
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; give a text file or a folder of them")
    found = [one for one in path.rglob("*") if one.is_file()] if path.is_dir() else [path]
    size = sum(one.stat().st_size for one in found)
    words, small = size > WORD_BYTES, size < 300_000
    name = name or _as_name(path)
    text = TEXT.format(
        **{"name": name, "path": _quoted(path), "tokens": "words" if words else "characters"},
        **{"vocabulary": "10000   # the most frequent tokens" if words else "null   # all tokens"},
        **{"embedding": 128 if words else 64, "hidden": 128 if small else 256, "batch": 8 if small else 32},
        epochs=min(30, max(2, round(3_000_000 / max(size, 1)))),
    )
    return text, f"{name}_lstm"


def _look_at(paths: list[Path]) -> tuple[int, bool]:
    """The side of the prepared pictures, the largest that most pictures have; and whether all pictures are grey."""
    from PIL import Image

    sides, modes = [], set()
    for path in paths:
        try:
            with Image.open(path) as image:
                sides.append(min(image.size))
                modes.add(image.mode)
        except OSError:  # `prepare` lists files that cannot be read
            continue
    middle = sorted(sides)[len(sides) // 2] if sides else SIDES[-1]
    return max([side for side in SIDES if side <= middle], default=SIDES[0]), bool(modes) and modes <= {"1", "L", "LA"}


def _spread(total: int, count: int) -> list[int]:
    return sorted({number * total // min(count, total) for number in range(min(count, total))})


def _as_name(path: Path) -> str:
    """A name that params.yaml accepts, from that of a file or folder."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", path.resolve().stem).strip("_").lower() or "mine"


def _quoted(path: Path) -> str:
    """The absolute path as a YAML string."""
    return "'" + str(path.resolve()).replace("'", "''") + "'"
