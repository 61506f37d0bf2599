"""The usual first network for digits: the settings of the example `mnist` of pytorch/examples, in plain torch.

Two convolutions of 3 x 3 with 32 and 64 filters at full size, max pooling, dropout 0.25, a layer of 128, dropout 0.5;
batches of 64, Adadelta with a learning rate of 1, multiplied by 0.7 after every epoch; 14 epochs. Two things make it
faster here: images are in memory as normalised tensors, and it is validated four times per epoch.

    python -m bench.image_recipe DATA SEED EPOCHS LEVEL [LEVEL ...]
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from bench.levels import Reached, first_times, reached
from bench.processes import print_result
from bench.setting import PROCESSORS

BATCH, RATE, DECAY, EPOCHS, VALIDATIONS = 64, 1.0, 0.7, 14, 4
MEAN, DEVIATION = 0.1307, 0.3081


class Network(nn.Sequential):
    def __init__(self, side: int = 28, classes: int = 10) -> None:
        features = 64 * ((side - 4) // 2) ** 2
        super().__init__(
            *(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25)),
            *(nn.Flatten(), nn.Linear(features, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, classes)),
        )


def load(folder: Path, split: str) -> tuple[Tensor, Tensor]:
    """Normalised images (N, 1, H, W) and labels (N,)."""
    images, labels = (np.load(folder / f"{split}_{kind}.npy") for kind in ("images", "labels"))
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float().contiguous() / 255
    return (pixels - MEAN) / DEVIATION, torch.from_numpy(labels.astype(np.int64))


@torch.no_grad()
def accuracy(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    network.eval()
    correct = [
        (network(part).argmax(1) == of).sum() for part, of in zip(images.split(500), labels.split(500), strict=True)
    ]
    network.train()
    return int(torch.stack(correct).sum()) / len(labels)


def parts(count: int, batch: int = BATCH) -> Iterator[tuple[Tensor, ...]]:
    """A random order of the images, in batches, in as many parts as there are validations per epoch."""
    batches = torch.randperm(count).split(batch)
    size = -(-len(batches) // VALIDATIONS)
    for start in range(0, len(batches), size):
        yield batches[start : start + size]


def train(folder: Path, *, seed: int, epochs: int, levels: list[float]) -> Reached:
    """Train until all levels are reached, or for `epochs` epochs."""
    torch.manual_seed(seed)
    (images, labels), validation = load(folder, "train"), load(folder, "validation")
    network = Network(side=images.shape[-1])
    optimiser = torch.optim.Adadelta(network.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, step_size=1, gamma=DECAY)
    marks, scores, spent = [0.0], [0.0], 0.0
    for _ in range(epochs):
        for part in parts(len(labels)):
            started = time.perf_counter()
            for rows in part:
                optimiser.zero_grad()
                nn.functional.cross_entropy(network(images[rows]), labels[rows]).backward()
                optimiser.step()
            spent += time.perf_counter() - started
            marks.append(spent)
            scores.append(accuracy(network, *validation))
            if reached(first_times(scores, marks, levels), levels):
                return first_times(scores, marks, levels)
        schedule.step()
    return first_times(scores, marks, levels)


if __name__ == "__main__":
    data, seed, epochs, *levels = sys.argv[1:]
    torch.set_num_threads(PROCESSORS)
    result = train(Path(data), seed=int(seed), epochs=int(epochs), levels=[*map(float, levels)])
    print_result(result.model_dump())
