"""Projected gradient descent on 1,000 digits, against that of the Adversarial Robustness Toolbox (ART).

Both attack the default run `cnn` with 40 steps within 0.1 on the same training digits, in batches of 500.
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
from cvnlp.vision.attacks.config import AttackConfig
from cvnlp.vision.attacks.table import ATTACKS
from cvnlp.vision.batches import evenly_spaced, to_tensor

IMAGES, BATCH = 1_000, 500
CONFIG = AttackConfig(eps=0.1, steps=40)
STEP = 2.5  # of ART, in units of eps / steps, as in the publication of the attack (Madry et al. 2018)


def digits(data: Path, count: int) -> tuple[Tensor, Tensor]:
    labels = prepared.load_array(data, "train_labels")
    rows = evenly_spaced(len(labels), count)
    return to_tensor(prepared.load_array(data, "train_images")[rows]), torch.from_numpy(labels[rows].astype(np.int64))


def attack(network: nn.Module, images: Tensor, labels: Tensor, config: AttackConfig = CONFIG) -> Tensor:
    parts = zip(images.split(BATCH), labels.split(BATCH), strict=True)
    return torch.cat([ATTACKS["pgd"](network, part, of, config) for part, of in parts])


def attack_with_library(network: nn.Module, images: Tensor, labels: Tensor, config: AttackConfig = CONFIG) -> Tensor:
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
        eps=config.eps,
        eps_step=STEP * config.eps / config.steps,
        max_iter=config.steps,
        batch_size=BATCH,
        verbose=False,
    )
    return torch.from_numpy(method.generate(images.numpy(), F.one_hot(labels, 10).numpy()))


@torch.no_grad()
def accuracy(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    return float((network(images).argmax(1) == labels).float().mean())


def measure(setting: Setting, *, count: int = IMAGES, config: AttackConfig = CONFIG) -> Pairs:
    """Seconds of both; the accuracies under attack are in the details."""
    network, _ = networks.load(setting.model("cnn"))
    network.to("cpu")
    images, labels = digits(setting.prepared("mnist_sample"), count)
    networks.use_threads(setting.run("cnn").attack.threads)
    try:
        attacked = {
            "accuracy": attack(network, images, labels, config),
            "accuracy_of_library": attack_with_library(network, images, labels, config),
        }
    except ImportError as error:
        raise NotMeasuredError(f"{error}: install adversarial-robustness-toolbox") from None
    scores = {name: accuracy(network, found, labels) for name, found in attacked.items()}
    return alternate(
        lambda: seconds(lambda: attack(network, images, labels, config)),
        lambda: seconds(lambda: attack_with_library(network, images, labels, config)),
        setting.rounds,
        **scores,
    )
