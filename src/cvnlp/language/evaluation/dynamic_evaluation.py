"""Dynamic evaluation: the weights continue to adapt while the test text is scored (Krause et al. 2018)."""

import copy
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cvnlp.data import prepared
from cvnlp.language.batches import Windows, windows_in
from cvnlp.language.models import Recurrent
from cvnlp.language.models.recurrent import detach_state
from cvnlp.launch.devices import device
from cvnlp.params.evaluation import DynamicEvaluation

COLUMNS = 100  # of the training text, read in parallel for the sizes of gradients (as Krause et al. do)
EPSILON = 2e-5  # added to these sizes (theirs, too)


@dataclass(frozen=True)
class DynamicSettings:
    """One value for each key of `evaluate.dynamic`."""

    lr: float
    decay: float
    window: int
    statistics: int


def dynamic_grid(options: DynamicEvaluation) -> list[DynamicSettings]:
    """All combinations of the listed values."""
    return [
        DynamicSettings(lr, decay, options.window, options.statistics)
        for lr, decay in itertools.product(options.lr, options.decay)
    ]


def dynamic_nats(network: Recurrent, data: Path, split: str, start: int, grid: Sequence[DynamicSettings]) -> np.ndarray:
    """Nats float32 (settings, N) of the tokens of a split; the network itself is not changed.

    After every `window` of tokens each weight w changes by

        pull * (trained - w) - lr * gradient / (size + EPSILON),    pull = decay * size / mean size, at most 1,

    with the gradient of the window's mean loss, and `size` the root mean square of the weight's gradients on
    `statistics` tokens of the training text.
    """
    window = grid[0].window
    train, tokens = (prepared.load_array(data, name) for name in ("train", split))
    sizes = gradient_sizes(network, train, start, window=window, tokens=grid[0].statistics)
    windows = Windows(tokens, start, columns=1, window=window)
    return np.stack([_adapt(copy.deepcopy(network), windows, sizes, one) for one in grid])


def gradient_sizes(
    network: Recurrent, text: np.ndarray, start: int, *, window: int, tokens: int, columns: int = COLUMNS
) -> list[Tensor]:
    """The root mean square of each weight's gradients, over windows of about `tokens` tokens in parallel columns."""
    columns = min(columns, len(text))
    count = min(max(1, tokens // (columns * window)), windows_in(len(text), columns, window))
    squares = [torch.zeros_like(weight) for weight in network.parameters()]
    for _, gradients in _gradients(network, Windows(text, start, columns=columns, window=window, count=count)):
        for square, gradient in zip(squares, gradients, strict=True):
            square.addcmul_(gradient, gradient)
    return [(square / count).sqrt() for square in squares]


def _adapt(network: Recurrent, windows: Windows, sizes: list[Tensor], settings: DynamicSettings) -> np.ndarray:
    """The nats of every target (N,), each before its window changes the network's weights."""
    weights = list(network.parameters())
    trained = [weight.detach().clone() for weight in weights]
    mean = sum(size.sum() for size in sizes) / sum(size.numel() for size in sizes)
    pulls = [(settings.decay * size / mean).clamp(max=1) for size in sizes]
    rates = [settings.lr / (size + EPSILON) for size in sizes]
    parts = []
    for nats, gradients in _gradients(network, windows):
        parts.append(nats[0].cpu())
        with torch.no_grad():
            for weight, origin, pull, gradient, rate in zip(weights, trained, pulls, gradients, rates, strict=True):
                weight.lerp_(origin, pull).addcmul_(gradient, rate, value=-1)
    return torch.cat(parts).numpy()


def _gradients(network: Recurrent, windows: Windows) -> Iterator[tuple[Tensor, tuple[Tensor, ...]]]:
    """For every window the nats of its targets (B, T) and the gradients of their mean; the state is carried over."""
    weights, state = list(network.parameters()), None
    for inputs, targets, _ in windows:
        with torch.backends.cudnn.flags(enabled=False):  # cuDNN has no gradient of a recurrent network in eval mode
            nats, state = network.nats(inputs.to(device()), targets.to(device()), state)
            mean = nats.sum() / (targets >= 0).sum().item()
            gradients = torch.autograd.grad(mean, weights, allow_unused=True, materialize_grads=True)
        state = detach_state(state)
        yield nats.detach(), gradients
