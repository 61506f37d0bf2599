"""Pictures: from raw files to uint8 arrays (N, H, W, C) on disk, split by seed and class. Imports no torch."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cvnlp import prepared, sources

Pictures = tuple[np.ndarray, np.ndarray, list[str]]  # images uint8 (N, H, W, C), labels (N,), names of the classes


def read_mnist_sample(raw: Path) -> Pictures:
    """5,000 MNIST digits, 500 of each; one line of CSV a picture: 784 pixels row by row, then the digit."""
    path = sources.fetch("mnist_sample", raw)
    table = np.loadtxt(path, delimiter=",", dtype=np.float32).astype(np.uint8)
    return table[:, :-1].reshape(-1, 28, 28, 1), table[:, -1], [str(digit) for digit in range(10)]


SOURCES: dict[str, Callable[[Path], Pictures]] = {"mnist_sample": read_mnist_sample}


def prepare(raw: Path, folder: Path, *, source: str, seed: int, validation: int, test: int) -> dict[str, Any]:
    """Read, split and write a data set; returns its facts.

    `validation` and `test` pictures are drawn by `seed`, the same number from every class; the rest is for training.
    """
    images, labels, classes = SOURCES[source](raw)
    parts = split_by_class(labels, {"validation": validation, "test": test}, seed)
    arrays = {}
    for split, chosen in parts.items():
        arrays[f"{split}_images"] = images[chosen]
        arrays[f"{split}_labels"] = labels[chosen]
    for name, array in arrays.items():
        prepared.save_array(folder, name, array)
    facts = _facts(source, classes, arrays)
    prepared.save_facts(folder, facts, arrays)
    return facts


def split_by_class(labels: np.ndarray, held_out: dict[str, int], seed: int) -> dict[str, np.ndarray]:
    """Disjoint indices for each split, in rising order; what is not held out is `train`.

    ValueError if a number does not divide evenly among the classes, or leaves a class nothing to train on.
    """
    classes = np.unique(labels)
    for split, count in held_out.items():
        if count % len(classes):
            raise ValueError(f"{split}: {count} pictures do not divide evenly among {len(classes)} classes")
    generator = np.random.default_rng(seed)
    chosen: dict[str, list[np.ndarray]] = {"train": [], **{split: [] for split in held_out}}
    for label in classes:
        shuffled = generator.permutation(np.flatnonzero(labels == label))
        for split, count in held_out.items():
            share = count // len(classes)
            chosen[split].append(shuffled[:share])
            shuffled = shuffled[share:]
        if not len(shuffled):
            raise ValueError(f"validation and test take every picture of class {label}; nothing is left to train on")
        chosen["train"].append(shuffled)
    return {split: np.sort(np.concatenate(indices)) for split, indices in chosen.items()}


def _facts(source: str, classes: list[str], arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    train = arrays["train_images"]
    return {
        "domain": "vision",
        "source": source,
        "licence": sources.SOURCES[source].licence,
        "classes": classes,
        "shape": list(train.shape[1:]),
        "mean": [float(channel) / 255 for channel in train.mean(axis=(0, 1, 2), dtype=np.float64)],
        "std": [float(channel) / 255 for channel in train.std(axis=(0, 1, 2), dtype=np.float64)],
        "counts": {
            split: {name: int((arrays[f"{split}_labels"] == label).sum()) for label, name in enumerate(classes)}
            for split in prepared.SPLITS
        },
    }


def network_arguments(facts: dict[str, Any]) -> dict[str, Any]:
    """What a network's constructor takes from the data: the picture's shape, the number of classes, the scale."""
    return {
        "shape": facts["shape"],
        "classes": len(facts["classes"]),
        "mean": facts["mean"],
        "std": facts["std"],
    }
