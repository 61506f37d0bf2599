"""Speed as ratios to baselines in the same run: `make bench`, on an idle machine.

Data loading: batches of prepared images, against torchvision's ImageFolder in a DataLoader over the same images as PNG
files; batches of prepared text, against single windows in a DataLoader.
Training: the pipeline's `cnn` through Lightning, against the same network in a plain loop.
Preparing: a folder of PNG files, against one process that decodes them with Pillow in a loop (see preparing.py).
Word models: against the usual recipe (see language_speed.py), if the Penn Treebank is prepared in benchmarks/.
Needs the prepared data of `make repro`.
"""

import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import language_speed
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from preparing import measure
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.datasets import ImageFolder

from cvnlp import networks
from cvnlp.data import prepared
from cvnlp.language import batches
from cvnlp.params import read_params
from cvnlp.params.runs import LanguageTrain, VisionTrain
from cvnlp.training import trainer
from cvnlp.training.callbacks import EpochLogger
from cvnlp.vision.batches import train_batches
from cvnlp.vision.training import Task

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "data/prepared/mnist_sample"
TEXT = ROOT / "data/prepared/shakespeare"
WINDOW = 32
EPOCHS = 2
ROUNDS = 5
TOLERANCE = 0.01  # by which two amounts of work may differ

Work = Callable[[], int]  # returns the number of images or tokens


class FolderOfImages:
    """The training images as PNG files in class folders, loaded as in most tutorials."""

    def __init__(self, data: Path, folder: Path) -> None:
        images, labels = (prepared.load_array(data, f"train_{kind}") for kind in ("images", "labels"))
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            path = folder / str(label) / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(image[..., 0]).save(path)
        to_tensor = transforms.Compose([transforms.Grayscale(), transforms.ToTensor()])
        self.loader = DataLoader(ImageFolder(folder, to_tensor), batch_size=128, shuffle=True, num_workers=2)

    def load(self) -> int:
        return sum(len(labels) for _, labels in self.loader)


def load_images(data: Path) -> int:
    options = VisionTrain(epochs=1, batch_size=128)
    return sum(len(batch.labels) for batch in train_batches(data, options, seed=1, epoch=0))


class WindowByWindow(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """A text cut into windows, one item each."""

    def __init__(self, data: Path) -> None:
        self.tokens = torch.from_numpy(np.load(data / "train.npy").astype(np.int64))

    def __len__(self) -> int:
        return (len(self.tokens) - 1) // WINDOW

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        place = index * WINDOW
        return self.tokens[place : place + WINDOW], self.tokens[place + 1 : place + WINDOW + 1]


def load_window_by_window(data: Path) -> int:
    return sum(targets.numel() for _, targets in DataLoader(WindowByWindow(data), batch_size=32))


def load_text(data: Path) -> int:
    options = LanguageTrain(epochs=1, batch_size=32, window=WINDOW)
    return sum(batch.targets.numel() for batch in batches.train_batches(data, options, seed=1, epoch=0))


def build(data: Path) -> tuple[torch.nn.Module, VisionTrain]:
    run = read_params(ROOT / "params.yaml").runs["cnn"]
    config = networks.describe("vision", run.model, prepared.read_facts(data))
    torch.manual_seed(1)
    return networks.build(config), VisionTrain(epochs=EPOCHS, batch_size=run.train.batch_size)


def train_in_a_loop(data: Path) -> int:
    network, options = build(data)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)
    images = 0
    for epoch in range(EPOCHS):
        for batch in train_batches(data, options, seed=1, epoch=epoch):
            optimiser.zero_grad()
            F.cross_entropy(network(batch.images), batch.labels).backward()
            optimiser.step()
            images += len(batch.labels)
    return images


def train_with_the_pipeline(data: Path) -> int:
    network, options = build(data)
    task = Task(network, options, folder=data, seed=1)
    with tempfile.TemporaryDirectory() as folder:
        logger = EpochLogger(lambda metrics, epoch: None)
        return trainer.fit(task, run="bench", resume=Path(folder), logger=logger).examples


def time_rate(work: Work) -> float:
    """Images or tokens per second."""
    started = time.perf_counter()
    return work() / (time.perf_counter() - started)


def compare(title: str, ours: Work, baseline: Work, unit: str, *, rounds: int = ROUNDS) -> float:
    """Time both in turn, print the medians and return the median ratio of speeds.

    Taking turns cancels changes of the machine's speed. ValueError if the two do different amounts of work.
    """
    amounts = ours(), baseline()  # also warms up
    if not math.isclose(*amounts, rel_tol=TOLERANCE):
        raise ValueError(f"{title}: {amounts[0]} {unit} against {amounts[1]} {unit} are not the same work")
    pairs = [(time_rate(ours), time_rate(baseline)) for _ in range(rounds)]
    mine, other = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(first / second for first, second in pairs)
    print(f"{title}: {mine:,.0f} {unit}/s, baseline {other:,.0f}; {ratio:.2f} times as fast", flush=True)
    return ratio


def main() -> None:
    try:
        for data in (IMAGES, TEXT):
            prepared.read_facts(data)
    except ValueError as error:
        sys.exit(f"error: {error}")
    with tempfile.TemporaryDirectory() as folder:
        baseline = FolderOfImages(IMAGES, Path(folder))
        compare(
            "loading images, against ImageFolder and DataLoader", partial(load_images, IMAGES), baseline.load, "images"
        )
    by_window = partial(load_window_by_window, TEXT)
    compare("loading text, against single windows", partial(load_text, TEXT), by_window, "tokens")
    in_a_loop = partial(train_in_a_loop, IMAGES)
    compare("training, against a plain loop", partial(train_with_the_pipeline, IMAGES), in_a_loop, "images")
    measure(70_000)
    language_speed.measure(language_speed.DATA, language_speed.SECONDS)


if __name__ == "__main__":
    main()
