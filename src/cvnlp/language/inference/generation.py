"""Generate text: draw the next token from the predicted distribution, read it, and repeat."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from cvnlp.language.inference.predict import next_token_logits
from cvnlp.language.models import Network
from cvnlp.launch.devices import device


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the next token is drawn; ValueError for values out of range.

    `temperature` divides the logits; 0 always takes the most likely token. `top_k`: only the k most likely tokens are
    drawn; `top_p`: of these the fewest whose probabilities sum up to p (nucleus sampling, Holtzman et al. 2020).
    `unknown`: the unknown token may be drawn, too.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    unknown: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise ValueError(f"temperature: {self.temperature:g} must be a number of at least 0")
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top_k: {self.top_k} must be a whole number of at least 1")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ValueError(f"top_p: {self.top_p:g} must be above 0 and at most 1")


def generate(
    network: Network,
    start: int,
    *,
    count: int,
    tokens: int,
    sampling: Sampling,
    seed: int,
    prompt: Sequence[int] = (),
) -> Tensor:
    """`count` texts, int64 (count, tokens), that continue the start token and the prompt."""
    steps = stream(network, start, count=count, tokens=tokens, sampling=sampling, seed=seed, prompt=prompt)
    return torch.stack(list(steps), dim=1)


@torch.inference_mode()
def stream(
    network: Network,
    start: int,
    *,
    tokens: int,
    sampling: Sampling,
    seed: int,
    prompt: Sequence[int] = (),
    count: int = 1,
) -> Iterator[Tensor]:
    """As `generate`, token by token as they are drawn: `tokens` times int64 (count,), on the CPU."""
    generator = torch.Generator().manual_seed(seed)
    unread, state = torch.tensor([[start, *prompt]], device=device()).expand(count, -1), None
    for _ in range(tokens):
        logits, state = next_token_logits(network, unread, state)
        drawn = torch.multinomial(sampling_distribution(logits.cpu(), sampling), 1, generator=generator)
        yield drawn[:, 0]
        unread = drawn.to(device())


def sampling_distribution(logits: Tensor, sampling: Sampling) -> Tensor:
    """The probabilities (N, vocabulary), float32, with which each token is drawn, from logits of the same shape."""
    logits = logits.float().clone()
    if not sampling.unknown:
        logits[:, 0] = -torch.inf  # the unknown token is always number 0
    if not sampling.temperature:
        return F.one_hot(logits.argmax(1), logits.shape[1]).float()
    probabilities = (logits / sampling.temperature).nan_to_num(0.0).softmax(1)  # a diverged network overflows
    if sampling.top_k is None and sampling.top_p is None:
        return probabilities
    return _truncated(probabilities, sampling)


def _truncated(probabilities: Tensor, sampling: Sampling) -> Tensor:
    """Without the tokens that `top_k` and then `top_p` exclude; of equally likely ones the first are kept."""
    ranked, order = probabilities.sort(dim=1, descending=True, stable=True)
    if sampling.top_k is not None:
        ranked[:, sampling.top_k :] = 0
        ranked /= ranked.sum(1, keepdim=True)
    if sampling.top_p is not None:
        ranked[ranked.cumsum(1) - ranked >= sampling.top_p] = 0  # the more likely ones already sum up to p
    return torch.zeros_like(probabilities).scatter(1, order, ranked / ranked.sum(1, keepdim=True))
