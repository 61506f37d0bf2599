"""What a language model writes: the next token drawn from its distribution and read again, over and over."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from cvnlp.language.models import Network
from cvnlp.networks import device

AT_ONCE = 512  # tokens of a prompt read together: of no influence on the result, for the state is carried over


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the next token is drawn; ValueError for what is out of range.

    `temperature` divides the logits: below 1 writes more carefully than was learned, 0 always the likeliest token. Only
    the `top_k` likeliest are drawn, and of these the fewest that have the share `top_p` of the probability (Holtzman et
    al. 2020); the unknown token only if `unknown`.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    unknown: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise ValueError(f"temperature: {self.temperature:g} is not a number from 0 on")
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top_k: {self.top_k} is not a number of tokens from 1 on")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ValueError(f"top_p: {self.top_p:g} is not a share above 0 and up to 1")


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
    """`count` texts of so many token ids (count, tokens) int64, written on after the start token and the prompt."""
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
    """The same token by token, as they are drawn: `tokens` times int64 (count,), on the CPU."""
    generator = torch.Generator().manual_seed(seed)
    unread, state = torch.tensor([[start, *prompt]], device=device()).expand(count, -1), None
    for _ in range(tokens):
        for part in unread.split(AT_ONCE, dim=1):
            logits, state = network(part, state)
        drawn = torch.multinomial(distribution(logits[:, -1].cpu(), sampling), 1, generator=generator)
        yield drawn[:, 0]
        unread = drawn.to(device())


def distribution(logits: Tensor, sampling: Sampling) -> Tensor:
    """The probabilities (N, vocabulary) in fp32 with which each token is drawn, from logits of the same shape."""
    logits = logits.float().clone()
    if not sampling.unknown:
        logits[:, 0] = -torch.inf  # the unknown token is always number 0
    if not sampling.temperature:
        return F.one_hot(logits.argmax(1), logits.shape[1]).float()
    likely = (logits / sampling.temperature).softmax(1)
    return likely if sampling.top_k is None and sampling.top_p is None else _likeliest(likely, sampling)


def _likeliest(likely: Tensor, sampling: Sampling) -> Tensor:
    """Without the tokens that `top_k` and then `top_p` leave out; of equal ones the first stay."""
    ranked, order = likely.sort(dim=1, descending=True, stable=True)
    if sampling.top_k is not None:
        ranked[:, sampling.top_k :] = 0
        ranked /= ranked.sum(1, keepdim=True)
    if sampling.top_p is not None:
        ranked[ranked.cumsum(1) - ranked >= sampling.top_p] = 0  # those before have the share already
    return torch.zeros_like(likely).scatter(1, order, ranked / ranked.sum(1, keepdim=True))
