"""Training under the Trainer against the same network in a hand-written loop, on epochs of 15,000 digits.

Both train the default run `cnn` without augmentation on the same batches, and both validate after every epoch.
"""

import contextlib
import io
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F

from bench import repeated
from bench.results import Pairs
from bench.rounds import compare_rates
from bench.setting import Setting
from cvnlp import networks
from cvnlp.data import prepared
from cvnlp.params.runs import VisionRun, VisionTrain
from cvnlp.training import trainer
from cvnlp.training.callbacks import EpochLogger
from cvnlp.vision.batches import train_batches, validation_batches
from cvnlp.vision.training import Task

IMAGES = 15_000
EPOCHS = 1


def build(data: Path, run: VisionRun, batch_size: int) -> tuple[torch.nn.Module, VisionTrain]:
    torch.manual_seed(1)
    networks.use_threads(run.train.threads)
    network = networks.build(networks.describe("vision", run.model, prepared.read_facts(data)))
    return network, VisionTrain(epochs=EPOCHS, batch_size=batch_size)


def train_in_a_loop(data: Path, run: VisionRun, batch_size: int) -> int:
    network, options = build(data, run, batch_size)
    network.to(memory_format=networks.MEMORY_FORMAT)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)
    images = 0
    for epoch in range(EPOCHS):
        network.train()
        for batch in train_batches(data, options, seed=1, epoch=epoch):
            optimiser.zero_grad()
            F.cross_entropy(network(batch.images), batch.labels).backward()
            optimiser.step()
            images += len(batch.labels)
        _validate(network.eval(), data, options)
    return images


@torch.no_grad()
def _validate(network: torch.nn.Module, data: Path, options: VisionTrain) -> float:
    correct = [(network(batch.images).argmax(1) == batch.labels).sum() for batch in validation_batches(data, options)]
    return float(torch.stack(correct).sum())


def train_with_the_pipeline(data: Path, run: VisionRun, batch_size: int) -> int:
    network, options = build(data, run, batch_size)
    task = Task(network, options, folder=data, seed=1)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        logger = EpochLogger(lambda metrics, epoch: None)
        return trainer.fit(task, run="bench", resume=Path(folder), logger=logger).examples


def measure(setting: Setting, *, batch_size: int, images: int = IMAGES) -> Pairs:
    """Images per second of both."""
    run = setting.run("cnn")
    assert isinstance(run, VisionRun)
    source = setting.prepared("mnist_sample")
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "repeated"
        repeated.prepare_images(source, data, images)
        trainings: list[Callable[[Path, VisionRun, int], int]] = [train_with_the_pipeline, train_in_a_loop]
        ours, loop = (partial(training, data, run, batch_size) for training in trainings)
        return compare_rates(ours, loop, setting.rounds)
