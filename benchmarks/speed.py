"""Speed, each as a ratio against a baseline in the same run: `make bench`, on an idle machine.

Feeding: the pipeline's batches against torchvision's per-picture transforms in a DataLoader, over the same pictures.
Training: a step of the pipeline's `cnn` through Lightning against the same network in a bare loop.
Needs the prepared data of `make repro`.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from cvnlp import domain, networks, prepared, training
from cvnlp.vision.batches import train_batches
from cvnlp.vision.data import network_arguments

ROOT = Path(__file__).parents[1]
DATA = ROOT / "data/prepared/mnist_sample"
ROUNDS = 5


class PerPicture(Dataset[tuple[torch.Tensor, int]]):
    """Pictures as most tutorials feed them: one by one, to PIL and back."""

    def __init__(self) -> None:
        self.images = np.load(DATA / "train_images.npy", mmap_mode="r")
        self.labels = np.load(DATA / "train_labels.npy")
        self.transform = transforms.Compose([transforms.ToPILImage(), transforms.ToTensor()])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(self.images[index]), int(self.labels[index])


def feed_per_picture() -> None:
    for _ in DataLoader(PerPicture(), batch_size=128, shuffle=True):
        pass


def feed_batches() -> None:
    for _ in train_batches(DATA, {"batch_size": 128}, seed=1, epoch=0):
        pass


def build() -> tuple[torch.nn.Module, dict[str, object]]:
    run = domain.read_params(ROOT / "params.yaml").runs["cnn"].model_dump()
    options = {key: value for key, value in run["model"].items() if key != "name"}
    data = network_arguments(prepared.facts(DATA))
    config = {"domain": "vision", "name": run["model"]["name"], "data": data, "options": options}
    torch.manual_seed(1)
    return networks.build(config), run["train"] | {"epochs": 2, "augment": {"shift": 0, "rotation": 0, "scale": 0}}


def train_bare() -> None:
    network, options = build()
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)
    for epoch in range(2):
        for images, labels in train_batches(DATA, options, seed=1, epoch=epoch):
            optimiser.zero_grad()
            F.cross_entropy(network(images), labels).backward()
            optimiser.step()


def train_pipeline() -> None:
    network, options = build()
    data = training.Data(domain.part("vision", "batches"), DATA, options, 1)
    with tempfile.TemporaryDirectory() as folder:
        task = domain.part("vision", "task").Task(network, options)
        logger = training.EpochLogger(lambda metrics, epoch: None)
        training.fit(task, data, run="bench", resume=Path(folder), logger=logger)


def seconds(function: Callable[[], None]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def compare(title: str, ours: Callable[[], None], baseline: Callable[[], None], count: int) -> None:
    """Both in turn, so that a machine whose speed drifts drifts for both; prints medians."""
    ours()  # warm
    baseline()
    pairs = [(seconds(ours), seconds(baseline)) for _ in range(ROUNDS)]
    mine, other = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(second / first for first, second in pairs)
    print(f"{title}: {count / mine:,.0f} pictures/s, baseline {count / other:,.0f}; {ratio:.2f} times as fast")


if __name__ == "__main__":
    pictures = len(prepared.load_array(DATA, "train_labels"))
    compare("feeding, beside per-picture transforms", feed_batches, feed_per_picture, pictures)
    compare("training, beside a bare loop", train_pipeline, train_bare, 2 * pictures)
