"""Attacks on 1,000 digits, against those of the Adversarial Robustness Toolbox (ART).

Both attack the default run `cnn` within 0.1 on the same training digits, in batches of 500: PGD from a random point and
Auto-PGD with 40 steps, Square with 200 queries.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.results import Pairs
from bench.rounds import alternate, seconds
from bench.setting import NotMeasuredError, Setting
from cvnlp import networks
from cvnlp.data import prepared
from cvnlp.params.adversarial_training import SPAN
from cvnlp.params.attacks import ApgdOptions, PgdOptions, SquareOptions
from cvnlp.vision.attacks import ATTACKS
from cvnlp.vision.batches import evenly_spaced, to_tensor
from cvnlp.vision.models.ball import Ball

IMAGES, BATCH, EPS = 1_000, 500, 0.1
Keywords = Callable[[Any], dict[str, Any]]  # our options -> those of the library


@dataclass(frozen=True)
class Method:
    """An attack of the table ATTACKS with its options, and the class of ART with the same settings."""

    name: str
    options: Any
    library: str
    keywords: Keywords


METHODS: Mapping[str, Method] = {
    "pgd_40_steps": Method(
        "pgd",
        PgdOptions(steps=40),
        "ProjectedGradientDescent",
        lambda options: {
            "max_iter": options.steps,
            "eps_step": SPAN * EPS / options.steps,
            "num_random_init": options.restarts,
        },
    ),
    "apgd_40_steps": Method(
        "apgd_ce",
        ApgdOptions(steps=40),
        "AutoProjectedGradientDescent",
        lambda options: {
            "max_iter": options.steps,
            "eps_step": 2 * EPS,
            "nb_random_init": options.restarts,
            "loss_type": "cross_entropy",
        },
    ),
    "square_200_queries": Method(
        "square",
        SquareOptions(queries=200),
        "SquareAttack",
        lambda options: {"max_iter": options.queries, "nb_restarts": options.restarts, "p_init": options.initial_share},
    ),
}


def digits(data: Path, count: int) -> tuple[Tensor, Tensor]:
    labels = prepared.load_array(data, "train_labels")
    rows = evenly_spaced(len(labels), count)
    return to_tensor(prepared.load_array(data, "train_images")[rows]), torch.from_numpy(labels[rows].astype(np.int64))


def attack(method: Method, network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    parts = zip(images.split(BATCH), labels.split(BATCH), strict=True)
    ball, generator, function = Ball("linf", EPS), torch.Generator().manual_seed(1), ATTACKS[method.name].function
    return torch.cat([function(network, part, of, ball, method.options, generator=generator) for part, of in parts])


def attack_with_library(method: Method, network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    from art.attacks import evasion
    from art.estimators.classification import PyTorchClassifier

    classifier = PyTorchClassifier(
        network,
        nn.CrossEntropyLoss(),
        input_shape=tuple(images.shape[1:]),
        nb_classes=10,
        clip_values=(0, 1),
        device_type="cpu",
    )
    keywords = method.keywords(method.options)
    made = getattr(evasion, method.library)(classifier, eps=EPS, batch_size=BATCH, verbose=False, **keywords)
    return torch.from_numpy(made.generate(images.numpy(), F.one_hot(labels, 10).numpy()))


@torch.no_grad()
def accuracy(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    return float((network(images).argmax(1) == labels).float().mean())


def measure(setting: Setting, *, method: Method, count: int = IMAGES) -> Pairs:
    """Seconds of both; the accuracies under attack are in the details."""
    network, _ = networks.load(setting.model("cnn"))
    network.to("cpu")
    images, labels = digits(setting.prepared("mnist_sample"), count)
    networks.use_threads(setting.run("cnn").attack.threads)
    try:
        attacked = {
            "accuracy": attack(method, network, images, labels),
            "accuracy_of_library": attack_with_library(method, network, images, labels),
        }
    except ImportError as error:
        raise NotMeasuredError(f"{error}: install adversarial-robustness-toolbox") from None
    scores = {name: accuracy(network, found, labels) for name, found in attacked.items()}
    return alternate(
        lambda: seconds(lambda: attack(method, network, images, labels)),
        lambda: seconds(lambda: attack_with_library(method, network, images, labels)),
        setting.rounds,
        **scores,
    )
