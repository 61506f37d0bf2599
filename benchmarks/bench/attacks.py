"""Projected gradient descent on 1,000 digits, against that of the Adversarial Robustness Toolbox (ART).

Both attack the default run `cnn` with 40 steps within 0.1 from a random point, on the same training digits, in batches
of 500.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.results import Pairs
from bench.rounds import alternate, seconds
from bench.setting import NotMeasuredError, Setting
from cvnlp import networks
from cvnlp.data import prepared
from cvnlp.params.attacks import PgdOptions
from cvnlp.vision.attacks.gradient import STEP_SIZE, pgd
from cvnlp.vision.models.ball import Ball
from cvnlp.vision.batches import evenly_spaced, to_tensor

IMAGES, BATCH = 1_000, 500
EPS, OPTIONS = 0.1, PgdOptions(steps=40)


def digits(data: Path, count: int) -> tuple[Tensor, Tensor]:
    labels = prepared.load_array(data, "train_labels")
    rows = evenly_spaced(len(labels), count)
    return to_tensor(prepared.load_array(data, "train_images")[rows]), torch.from_numpy(labels[rows].astype(np.int64))


def attack(network: nn.Module, images: Tensor, labels: Tensor, options: PgdOptions = OPTIONS) -> Tensor:
    parts = zip(images.split(BATCH), labels.split(BATCH), strict=True)
    ball, generator = Ball("linf", EPS), torch.Generator().manual_seed(1)
    return torch.cat([pgd(network, part, of, ball, options, generator=generator) for part, of in parts])


def attack_with_library(network: nn.Module, images: Tensor, labels: Tensor, options: PgdOptions = OPTIONS) -> Tensor:
    from art.attacks.evasion import ProjectedGradientDescent
    from art.estimators.classification import PyTorchClassifier

    classifier = PyTorchClassifier(
        network,
        nn.CrossEntropyLoss(),
        input_shape=tuple(images.shape[1:]),
        nb_classes=10,
        clip_values=(0, 1),
        device_type="cpu",
    )
    method = ProjectedGradientDescent(
        classifier,
        eps=EPS,
        eps_step=STEP_SIZE * EPS / options.steps,
        max_iter=options.steps,
        num_random_init=options.restarts,
        batch_size=BATCH,
        verbose=False,
    )
    return torch.from_numpy(method.generate(images.numpy(), F.one_hot(labels, 10).numpy()))


@torch.no_grad()
def accuracy(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    return float((network(images).argmax(1) == labels).float().mean())


def measure(setting: Setting, *, count: int = IMAGES, options: PgdOptions = OPTIONS) -> Pairs:
    """Seconds of both; the accuracies under attack are in the details."""
    network, _ = networks.load(setting.model("cnn"))
    network.to("cpu")
    images, labels = digits(setting.prepared("mnist_sample"), count)
    networks.use_threads(setting.run("cnn").attack.threads)
    try:
        attacked = {
            "accuracy": attack(network, images, labels, options),
            "accuracy_of_library": attack_with_library(network, images, labels, options),
        }
    except ImportError as error:
        raise NotMeasuredError(f"{error}: install adversarial-robustness-toolbox") from None
    scores = {name: accuracy(network, found, labels) for name, found in attacked.items()}
    return alternate(
        lambda: seconds(lambda: attack(network, images, labels, options)),
        lambda: seconds(lambda: attack_with_library(network, images, labels, options)),
        setting.rounds,
        **scores,
    )
