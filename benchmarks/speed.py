"""Speed, each as a ratio against a baseline in the same run: `make bench`, on an idle machine.

Feeding: the batches of prepared pictures against torchvision's ImageFolder in a DataLoader over the same pictures as
PNG files, and those of prepared text against windows one by one in a DataLoader.
Training: a step of the pipeline's `cnn` through Lightning against the same network in a bare loop.
Preparing: a folder of PNG files against one process that decodes them with Pillow in a loop (see preparing.py).
Word models: against the usual recipe (see language_speed.py), if the Penn Treebank is prepared in benchmarks/.
Needs the prepared data of `make repro`.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
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
PICTURES = ROOT / "data/prepared/mnist_sample"
TEXT = ROOT / "data/prepared/shakespeare"
WINDOW = 32
ROUNDS = 5


class FolderOfPictures:
    """The training pictures as PNG files in class folders, fed as most tutorials do."""

    def __init__(self, folder: Path) -> None:
        images, labels = (prepared.load_array(PICTURES, f"train_{kind}") for kind in ("images", "labels"))
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            path = folder / str(label) / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(image[..., 0]).save(path)
        to_tensor = transforms.Compose([transforms.Grayscale(), transforms.ToTensor()])
        self.loader = DataLoader(ImageFolder(folder, to_tensor), batch_size=128, shuffle=True, num_workers=2)

    def feed(self) -> None:
        for _ in self.loader:
            pass


def feed_pictures() -> None:
    for _ in train_batches(PICTURES, VisionTrain(epochs=1, batch_size=128), seed=1, epoch=0):
        pass


class WindowByWindow(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """A text cut into windows of 32, one item each."""

    def __init__(self) -> None:
        self.tokens = torch.from_numpy(np.load(TEXT / "train.npy").astype(np.int64))

    def __len__(self) -> int:
        return (len(self.tokens) - 1) // WINDOW

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        place = index * WINDOW
        return self.tokens[place : place + WINDOW], self.tokens[place + 1 : place + WINDOW + 1]


def feed_window_by_window() -> None:
    for _ in DataLoader(WindowByWindow(), batch_size=32):
        pass


def feed_text() -> None:
    for _ in batches.train_batches(TEXT, LanguageTrain(epochs=1, batch_size=32, window=WINDOW), seed=1, epoch=0):
        pass


def build() -> tuple[torch.nn.Module, VisionTrain]:
    run = read_params(ROOT / "params.yaml").runs["cnn"]
    config = networks.describe("vision", run.model, prepared.read_facts(PICTURES))
    torch.manual_seed(1)
    return networks.build(config), VisionTrain(epochs=2, batch_size=run.train.batch_size)


def train_bare() -> None:
    network, options = build()
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)
    for epoch in range(2):
        for batch in train_batches(PICTURES, options, seed=1, epoch=epoch):
            optimiser.zero_grad()
            F.cross_entropy(network(batch.images), batch.labels).backward()
            optimiser.step()


def train_pipeline() -> None:
    network, options = build()
    task = Task(network, options, folder=PICTURES, seed=1)
    with tempfile.TemporaryDirectory() as folder:
        trainer.fit(task, run="bench", resume=Path(folder), logger=EpochLogger(lambda metrics, epoch: None))


def seconds(function: Callable[[], None]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def compare(title: str, ours: Callable[[], None], baseline: Callable[[], None], count: int, unit: str) -> None:
    """Both in turn, so that a machine whose speed drifts drifts for both; prints medians."""
    ours()  # warm
    baseline()
    pairs = [(seconds(ours), seconds(baseline)) for _ in range(ROUNDS)]
    mine, other = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(second / first for first, second in pairs)
    print(
        f"{title}: {count / mine:,.0f} {unit}/s, baseline {count / other:,.0f}; {ratio:.2f} times as fast", flush=True
    )


if __name__ == "__main__":
    try:
        for data in (PICTURES, TEXT):
            prepared.read_facts(data)
    except ValueError as error:
        sys.exit(f"error: {error}")
    images = len(prepared.load_array(PICTURES, "train_labels"))
    with tempfile.TemporaryDirectory() as folder:
        baseline = FolderOfPictures(Path(folder))
        compare("feeding pictures, beside ImageFolder and DataLoader", feed_pictures, baseline.feed, images, "pictures")
    tokens = len(prepared.load_array(TEXT, "train"))
    compare("feeding text, beside window by window", feed_text, feed_window_by_window, tokens, "tokens")
    compare("training, beside a bare loop", train_pipeline, train_bare, 2 * images, "pictures")
    measure(70_000)
    language_speed.measure(language_speed.DATA, language_speed.SECONDS)
