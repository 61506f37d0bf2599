"""Loading data: batches of prepared images against torchvision's ImageFolder in a DataLoader over the same images as
PNG files, and batches of prepared text against single windows in a DataLoader.
"""

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.datasets import ImageFolder

from bench.results import Pairs
from bench.rounds import compare_rates
from bench.setting import Setting
from cvnlp.data import prepared
from cvnlp.language import batches
from cvnlp.params.runs import LanguageTrain, VisionTrain
from cvnlp.vision.batches import train_batches

WINDOW = 32


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


def measure_images(setting: Setting) -> Pairs:
    data = setting.prepared("mnist_sample")
    with tempfile.TemporaryDirectory() as folder:
        return compare_rates(partial(load_images, data), FolderOfImages(data, Path(folder)).load, setting.rounds)


def measure_text(setting: Setting) -> Pairs:
    data = setting.prepared("shakespeare")
    return compare_rates(partial(load_text, data), partial(load_window_by_window, data), setting.rounds)
