"""The effective context length of a language model, measured in three ways.

By the gradient of a loss at the inputs before it, by the loss when the context is truncated, and by the extra loss
after a prefix that was replaced with another text's.
"""

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cvnlp.language.inference.scoring import next_token_nats, token_nats
from cvnlp.language.models import Network, Recurrent

MIN_NORM = 1e-30  # replaces a gradient of zero, which a logarithmic axis cannot show
BATCH_SIZE = 64  # excerpts whose logits are in memory together
PREFIXES = (1, 4, 16)  # tokens that are replaced
MAX_PREFIX_SHARE = 1 / 4  # of an excerpt
MAX_EXCERPTS = 256  # with a replaced prefix
PREFIX_BATCH_SIZE = 32  # excerpts; here the logits of all their tokens are in memory


def gradient_norms(network: Recurrent, inputs: Tensor, targets: Tensor) -> np.ndarray:
    """Norm of the gradient k steps before the loss, relative to k = 0: (T,), by k.

    The loss is that of the token (N,) after each excerpt (N, T), the gradient that at the embedded inputs; mean over
    the excerpts, each read from a zero state. In an Elman RNN it falls exponentially with k (Bengio et al. 1994).
    """
    batches = zip(inputs.split(BATCH_SIZE), targets.split(BATCH_SIZE), strict=True)
    norms = torch.cat([_input_gradient_norms(network, *batch) for batch in batches]).mean(0).flip(0).cpu().numpy()
    return np.maximum(norms / max(norms[0], MIN_NORM), MIN_NORM)


def _input_gradient_norms(network: Recurrent, inputs: Tensor, targets: Tensor) -> Tensor:
    """(N, T), float64."""
    embedded = network.embed(inputs).detach().requires_grad_()
    with torch.backends.cudnn.flags(enabled=False):  # cuDNN has no gradient of a recurrent network in eval mode
        outputs, _ = network.forward_layers(embedded)
    loss = network.output.nats(outputs[:, -1:], targets[:, None]).sum()
    return torch.autograd.grad(loss, embedded)[0].double().norm(dim=2)


def losses_by_context(network: Network, inputs: Tensor, targets: Tensor) -> pd.DataFrame:
    """Mean nats of the token (N,) after each excerpt (N, T) given only the last 1, 2, 4, ... `tokens` of it."""
    lengths = [length for length in (2**power for power in range(20)) if length <= inputs.shape[1]]
    nats = [_summed_nats(network, inputs[:, -length:], targets) / len(targets) for length in lengths]
    return pd.DataFrame({"tokens": lengths, "nats": nats})


def _summed_nats(network: Network, inputs: Tensor, targets: Tensor) -> float:
    batches = zip(inputs.split(BATCH_SIZE), targets.split(BATCH_SIZE), strict=True)
    return sum(float(next_token_nats(network, *batch).double().sum()) for batch in batches)


def losses_after_replaced_prefixes(
    network: Network, inputs: Tensor, targets: Tensor, *, max_excerpts: int = MAX_EXCERPTS
) -> pd.DataFrame:
    """Extra nats per token after a prefix that was replaced with the one of the next excerpt.

    `inputs` and `targets` (N, T): of many excerpts every second, third, ... is taken, so that `max_excerpts` suffice.
    A row for each `prefix` (its length in tokens) and range of distances behind it: 1, 2, 3 to 4, 5 to 8, ..., of
    which `distance` is the last. `error` is the standard error of the mean over excerpts.
    """
    every = max(1, -(-len(inputs) // max_excerpts))
    inputs, targets = inputs[::every], targets[::every]
    end = max(1, min(max(PREFIXES), int(inputs.shape[1] * MAX_PREFIX_SHARE)))
    original = _nats_from(end, network, inputs, targets)
    rows = []
    for prefix in (prefix for prefix in PREFIXES if prefix <= end):
        replaced = inputs.clone()
        replaced[:, end - prefix : end] = inputs.roll(1, 0)[:, end - prefix : end]
        differs = (replaced != inputs).any(1).cpu().numpy()
        extra = (_nats_from(end, network, replaced, targets) - original)[differs]
        rows += [{"prefix": prefix, **row} for row in _means_by_distance(extra)]
    return pd.DataFrame(rows, columns=["prefix", "distance", "extra", "error"])


def _nats_from(end: int, network: Network, inputs: Tensor, targets: Tensor) -> np.ndarray:
    """Nats of the targets that follow the first `end` inputs: float64 (N, T - end + 1)."""
    return token_nats(network, inputs, targets, batch_size=PREFIX_BATCH_SIZE)[:, end - 1 :].double().numpy()


def _means_by_distance(extra: np.ndarray) -> list[dict[str, float]]:
    """Means of (N, D) over all excerpts and each range of distances, which ends at a power of two."""
    rows, first = [], 0
    for last in (2**power for power in range(20)):
        if first < extra.shape[1] and len(extra) > 1:
            means = extra[:, first:last].mean(1)
            error = float(means.std(ddof=1) / np.sqrt(len(means)))
            rows.append({"distance": min(last, extra.shape[1]), "extra": float(means.mean()), "error": error})
        first = last
    return rows
