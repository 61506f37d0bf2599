"""Score texts with a language model: the negative log-likelihood of each token in nats."""

import numpy as np
import torch
from torch import Tensor

from cvnlp.language.models import Network, Recurrent
from cvnlp.language.models.output import cross_entropy
from cvnlp.launch.devices import device

WINDOW = 512  # tokens read at a time; the result does not depend on it, because the state is carried over
MAX_NATS = 700.0  # of a token: a diverged network may overflow, and the exponential of more is infinite
MAX_LOGITS = 2**22  # of a batch (texts x tokens x vocabulary), in memory together


@torch.inference_mode()
def token_nats(
    network: Network, inputs: Tensor, targets: Tensor, *, window: int = WINDOW, batch_size: int | None = None
) -> Tensor:
    """Nats of every target (N, T) given the inputs (N, T) up to its place: float32 on the CPU, 0 for targets below 0.

    Each row is a text of its own, read from a zero state. Up to `batch_size` rows (all by default) and `window` tokens
    are processed together; the state is carried from window to window.
    """
    size = batch_size or len(inputs)
    rows = zip(inputs.split(size), targets.split(size), strict=True)
    return torch.cat([_carried_nats(network, *pair, window) for pair in rows])


def _carried_nats(network: Network, inputs: Tensor, targets: Tensor, window: int) -> Tensor:
    state, parts = None, []
    for tokens, following in zip(inputs.split(window, dim=1), targets.split(window, dim=1), strict=True):
        nats, state = network.nats(tokens.to(device()), following.to(device()), state)
        parts.append(_capped(nats).cpu())
    return torch.cat(parts, dim=1)


def _capped(nats: Tensor) -> Tensor:
    return nats.nan_to_num(nan=MAX_NATS).clamp(max=MAX_NATS)


def text_nats(network: Network, tokens: np.ndarray, start: int) -> np.ndarray:
    """Nats of every token of one text, float32 (N,), given all tokens before it; the first one given `start`."""
    text = torch.from_numpy(np.concatenate(([start], tokens)).astype(np.int64))[None]
    return token_nats(network, text[:, :-1], text[:, 1:])[0].numpy()


def texts_per_batch(network: Network, length: int) -> int:
    """How many texts of so many tokens can be in one batch; at least one."""
    return max(1, MAX_LOGITS // (length * network.vocabulary_size))


@torch.inference_mode()
def next_token_nats(network: Network, inputs: Tensor, targets: Tensor) -> Tensor:
    """Nats of the token (N,) that follows each text (N, T), read from a zero state: float32 (N,)."""
    if isinstance(network, Recurrent):  # the output layer needs only the last position
        outputs, _ = network.hidden(inputs)
        return _capped(network.output.nats(outputs[:, -1:], targets[:, None])[:, 0])
    logits, _ = network(inputs)
    return _capped(cross_entropy(logits[:, -1:], targets[:, None])[:, 0])
