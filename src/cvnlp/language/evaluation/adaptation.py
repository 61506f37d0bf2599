"""A language model that adapts to the text it is scored on: to each token only after it was predicted.

Dynamic evaluation (Krause et al. 2018) goes on training, the continuous cache (Grave et al. 2017) remembers what
followed wherever the network said something alike. Both give scores of their own beside the static one, of the model
as it was trained, and neither changes the network that it is given.
"""

import copy
import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cvnlp.data import prepared
from cvnlp.language.batches import Windows, windows_in
from cvnlp.language.models import Network, Recurrent
from cvnlp.language.models.output import cross_entropy
from cvnlp.language.models.recurrent import detached
from cvnlp.networks import device
from cvnlp.params.runs import LanguageEvaluate

Settings = dict[str, Any]  # one value for each key of a block of params.yaml
COLUMNS = 100  # of the training text, read together for the sizes of gradients (as Krause et al. do)
EPSILON = 2e-5  # added to these sizes (theirs, too)
AT_ONCE = 512  # tokens that ask the cache together: of no influence on the result


def adapt(
    network: Network, data: Path, start: int, options: LanguageEvaluate
) -> dict[str, tuple[Settings, np.ndarray]]:
    """For each method that `options` ask for its settings, and the nats of every test token, float32.

    Where several values of a setting are given, those are taken that are best on the validation text.
    """
    asked = {name: method for name, method in METHODS.items() if getattr(options, name)}
    found: dict[str, tuple[Settings, np.ndarray]] = {}
    for name, method in asked.items():
        if not isinstance(network, Recurrent):
            raise ValueError(f"evaluate.{name}: adapts recurrent networks alone; leave it out here")
        grid = _combinations(getattr(options, name).model_dump())
        costs = method(network, data, "validation", start, grid).mean(1) if len(grid) > 1 else np.zeros(1)
        chosen = grid[int(np.nan_to_num(costs, nan=np.inf).argmin())]
        nats = method(network, data, "test", start, [chosen])[0]
        if not np.isfinite(nats).all():
            raise ValueError(f"evaluate.{name}: with {chosen} the model went astray; take smaller steps")
        found[name] = chosen, nats
    return found


def _combinations(block: dict[str, Any]) -> list[Settings]:
    values = (value if isinstance(value, list) else [value] for value in block.values())
    return [dict(zip(block, combination, strict=True)) for combination in itertools.product(*values)]


def dynamic_nats(network: Recurrent, data: Path, split: str, start: int, grid: list[Settings]) -> np.ndarray:
    """Nats (settings, N) of the tokens of a split where the weights w move after every `window` of them, by

        pull * (trained - w) - lr * gradient / (size + EPSILON),    pull = decay * size / mean size, at most 1

    with the gradient of the window's mean loss, and the size that it has for each weight on `statistics` tokens of the
    training text.
    """
    window = grid[0]["window"]
    train, tokens = (prepared.load_array(data, name) for name in ("train", split))
    sizes = gradient_sizes(network, train, start, window=window, tokens=grid[0]["statistics"])
    return np.stack(
        [
            _follow(
                copy.deepcopy(network), Windows(tokens, start, columns=1, window=window), sizes, one["lr"], one["decay"]
            )
            for one in grid
        ]
    )


def gradient_sizes(network: Recurrent, text: np.ndarray, start: int, *, window: int, tokens: int) -> list[Tensor]:
    """For each weight the root of the mean square of its gradients, over windows from `COLUMNS` places of the text."""
    columns = min(COLUMNS, len(text))
    count = min(max(1, tokens // (columns * window)), windows_in(len(text), columns, window))
    squares = [torch.zeros_like(weight) for weight in network.parameters()]
    for _, gradients in _gradients(network, Windows(text, start, columns=columns, window=window, count=count)):
        for square, gradient in zip(squares, gradients, strict=True):
            square.addcmul_(gradient, gradient)
    return [(square / count).sqrt() for square in squares]


def _follow(network: Recurrent, windows: Windows, sizes: list[Tensor], lr: float, decay: float) -> np.ndarray:
    """The nats of every target (N,); moves the network's weights."""
    weights = list(network.parameters())
    trained = [weight.detach().clone() for weight in weights]
    mean = sum(size.sum() for size in sizes) / sum(size.numel() for size in sizes)
    pulls = [(decay * size / mean).clamp(max=1) for size in sizes]
    rates = [lr / (size + EPSILON) for size in sizes]
    parts = []
    for nats, gradients in _gradients(network, windows):
        parts.append(nats[0].cpu())
        with torch.no_grad():
            for weight, origin, pull, gradient, rate in zip(weights, trained, pulls, gradients, rates, strict=True):
                weight.lerp_(origin, pull).addcmul_(gradient, rate, value=-1)
    return torch.cat(parts).numpy()


def _gradients(network: Recurrent, windows: Windows) -> Iterator[tuple[Tensor, tuple[Tensor, ...]]]:
    """Of every window the nats of its targets (B, T) and the gradients of their mean; the state is carried on."""
    weights, state = list(network.parameters()), None
    for inputs, targets, _ in windows:
        with torch.backends.cudnn.flags(enabled=False):  # cuDNN has no gradient of a recurrent network in eval mode
            nats, state = network.nats(inputs.to(device()), targets.to(device()), state)
            mean = nats.sum() / (targets >= 0).sum().item()
            gradients = torch.autograd.grad(mean, weights, allow_unused=True, materialize_grads=True)
        state = detached(state)
        yield nats.detach(), gradients


@torch.inference_mode()
def cache_nats(network: Recurrent, data: Path, split: str, start: int, grid: list[Settings]) -> np.ndarray:
    """Nats (settings, N) of the tokens of a split by (1 - share) * p of the network + share * p of the cache.

    The cache holds the last `size` outputs h of the last layer, each with the token that followed; p of a token is the
    share of those that it followed, each weighed by exp(sharpness * h . the present output).
    """
    size, state, parts = grid[0]["size"], None, []
    held = followed = None
    for inputs, targets, _ in Windows(prepared.load_array(data, split), start, columns=1, window=AT_ONCE):
        outputs, state = network.hidden(inputs.to(device()), state)
        targets = targets.to(device())
        static = cross_entropy(network.logits(outputs), targets)[0]
        held = outputs[0].float() if held is None else torch.cat([held[-size:], outputs[0].float()])
        followed = targets[0] if followed is None else torch.cat([followed[-size:], targets[0]])
        cached = _cached(held, followed, len(static), size, sorted({one["sharpness"] for one in grid}))
        parts.append(torch.stack([_mixed(static, cached[one["sharpness"]], one["share"]) for one in grid]).cpu())
    return torch.cat(parts, dim=1).numpy()


def _cached(held: Tensor, followed: Tensor, count: int, size: int, sharpnesses: list[float]) -> dict[float, Tensor]:
    """By sharpness the cache's probabilities of the last `count` tokens (count,); NaN where it holds nothing yet."""
    present = torch.arange(len(held) - count, len(held), device=held.device)[:, None]
    back = present - torch.arange(len(held), device=held.device)
    outside, same = (back < 1) | (back > size), followed[-count:, None] == followed
    likeness = held[-count:] @ held.T
    return {
        sharpness: ((sharpness * likeness).masked_fill(outside, -torch.inf).softmax(1) * same).sum(1)
        for sharpness in sharpnesses
    }


def _mixed(static: Tensor, cached: Tensor, share: float) -> Tensor:
    """The nats of both together; of the network alone where the cache is empty."""
    both = torch.logaddexp(math.log1p(-share) - static, (share * cached).log())
    return torch.where(cached.isnan(), static, -both)


METHODS = {"dynamic": dynamic_nats, "cache": cache_nats}
